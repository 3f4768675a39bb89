"""Commands that only the stack and scripts/ call; `runner --help` does not list them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runner.settings import Settings

app = typer.Typer()


@app.command(hidden=True)
def prepare_lambda(folder: Path, tmp_mb: Annotated[str, typer.Option(help="Size of /tmp in compose.yaml.")]) -> None:
    """Write what the Lambda's container needs from template.yaml into a folder."""
    from runner.stack import docker_compose, emulators
    from runner.template import stack_template

    settings = Settings.from_env()
    enforced = settings.emulator is not None and emulators.by_name(settings.emulator).enforces_rights
    docker_compose.prepare(stack_template.load_for(settings), folder, tmp_mb, enforced=enforced)


@app.command(
    "sam",
    hidden=True,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def run_sam(context: typer.Context) -> None:
    """Run SAM CLI for scripts/sam: `build`, `local` and `deploy`."""
    from runner.cli.deploy import sam

    sam.run(Settings.from_env(), context.args)


@app.command(
    "project-tests",
    hidden=True,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def run_project_tests(context: typer.Context) -> None:
    """Run the tests of the project, for `scripts/test --project DIR`; every argument goes to pytest."""
    from runner.cli import project_tests

    raise typer.Exit(project_tests.run(Settings.from_env(), context.args))


Environment = Annotated[str, typer.Argument(help="An environment of samconfig.toml.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option(help="Another samconfig.toml than the project's.", exists=True, dir_okay=False, resolve_path=True),
]


@app.command(hidden=True, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def deploy(context: typer.Context, environment: Environment = "default", config_file: ConfigFile = None) -> None:
    """Validate, build and deploy to AWS, with an environment of samconfig.toml. Other options go to `sam deploy`.

    Example: `scripts/deploy dev`

    Example: `scripts/deploy prod --no-confirm-changeset` does not ask for confirmation.
    """
    from runner.cli.deploy import sam, stacks

    settings = Settings.from_env()
    config_file = config_file or sam.config_of(settings.root)
    raise typer.Exit(stacks.deploy(settings, environment, config_file, context.args))


@app.command(hidden=True)
def undeploy(
    environment: Environment = "default",
    data: Annotated[
        bool | None, typer.Option("--delete-data/--keep-data", help="[default: asks]", show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    config_file: ConfigFile = None,
) -> None:
    """Delete the stack of an environment. It shows what is in its buckets, and asks whether to keep or to delete it.

    Example: `scripts/undeploy dev`

    Example: `scripts/undeploy dev --delete-data --yes` asks nothing and deletes everything.
    """
    from runner.cli.deploy import sam, stacks

    settings = Settings.from_env()
    config_file = config_file or sam.config_of(settings.root)
    raise typer.Exit(stacks.undeploy(settings, environment, config_file, delete_data=data, confirmed=yes))
