"""`runner init`: add to a repository of pipelines what deployment, Docker and editors need."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from runner.cli.output import results, say
from runner.cli.project_files import additions, containers, deployment, editor
from runner.cli.project_files.additions import Lines, Plan
from runner.cli.project_files.shipped import LINK
from runner.errors import SettingsError
from runner.settings import CHECKOUT, Settings

Folder = Annotated[
    Path | None,
    typer.Argument(metavar="[DIR]", help="Folder with pipelines/. [default: --project, or this folder]",
                   show_default=False),
]  # fmt: skip


def init(
    folder: Folder = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before adding files.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be added.")] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Only print how the shipped files differ from yours, as unified diffs.")
    ] = False,
) -> None:
    """Add files for deployment, Docker and editors.

    It shows each file first, and overwrites none. `runner up` does not need these files. Run it again after an upgrade:
    it adds what is new, and `--diff` prints what has changed in the files that you already have.

    Example: `runner init --dry-run`

    Example: `runner init --diff`
    """
    project = _project(folder)
    found = _plan(project)
    if diff:
        _print_differences(project, found)
        return
    _show(project, found)
    if dry_run:
        return
    if found.added and not (yes or _confirmed(len(found.added))):
        raise typer.Exit(1)
    for addition in found.added:
        additions.add(project, addition)
    _collect_image(project)
    if found.added:
        results.print(f"✔ added {_files(len(found.added))}", style="green")
    say(f"next, in {project}: `runner up`, `docker compose up`, or `{LINK}/scripts/deploy`; see docs/deploy.md")


def _project(folder: Path | None) -> Path:
    """Return the folder to initialize.

    Raises:
        SettingsError: it is not a project, or it is this checkout.
    """
    project = Path(folder or os.environ.get("RUNNER_ROOT") or Path.cwd()).resolve()
    if not project.is_dir():
        raise SettingsError(f"{project} is not a folder. Name the folder of your repository: `runner init DIR`.")
    if project == CHECKOUT:
        raise SettingsError(
            f"{project} is tsdat-local itself, which has all of these files. Name the folder of your repository: "
            "`runner init DIR`."
        )
    if not (project / "pipelines").is_dir():
        raise SettingsError(
            f"{project} is not a project: it has no folder `pipelines`. Name the folder that contains `pipelines`, as "
            "tsdat's template does, or create `pipelines` there first."
        )
    return project


def _plan(project: Path) -> Plan:
    from runner.stack import image_context

    files = [*deployment.files(project), *containers.files(project), *editor.files()]
    variables = containers.variables(project, image_context.name_of(project))
    return additions.plan(project, files, containers.quoted(variables))


def _show(project: Path, found: Plan) -> None:
    if found.added:
        say(f"`runner init` adds to {project}:")
    else:
        say(f"{project} has every file that `runner init` adds.")
    width = max((len(one.path) for one in [*found.added, *found.differing]), default=0)
    for one in found.added:
        more = " (lines are added to yours)" if isinstance(one, Lines) and (project / one.path).exists() else ""
        results.print(f"  {one.path:{width}}  {one.purpose}{more}", markup=False)
    if found.differing:
        say("It keeps yours, which differ from the shipped ones; see `runner init --diff`:")
    for file in found.differing:
        results.print(f"  {file.path:{width}}  {file.purpose}", markup=False)
    if found.other_values:
        say("It keeps these variables in .env, too. On this machine they should be:")
    for line in found.other_values:
        results.print(f"  {line}", markup=False)


def _print_differences(project: Path, found: Plan) -> None:
    for file in found.differing:
        sys.stdout.write(additions.difference(project / file.path, file))
    for addition in found.added:
        say(f"{addition.path} is missing or lacks lines; `runner init` adds it")
    if not found.differing:
        say("No file of yours differs from the shipped ones.")


def _confirmed(count: int) -> bool:
    """Ask, and return the answer.

    Raises:
        SettingsError: there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise SettingsError(
            "There is no terminal to ask at. Add --yes to add the files, or --dry-run to only see them."
        )
    return typer.confirm(f"Add {_files(count)}?")


def _collect_image(project: Path) -> None:
    """Collect what the image is built from, where compose.yaml expects it."""
    from runner.stack import image_context
    from runner.state import stack_lock

    settings = Settings.from_env({"RUNNER_ROOT": str(project)})
    stack_lock.prepare_data(settings)
    image_context.stage(settings, say)
    (settings.state / "empty").mkdir(parents=True, exist_ok=True)


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
