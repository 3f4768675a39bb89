"""The command line. No command imports boto3 or tsdat before it runs, so `--help` stays quick."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from runner.cli import (
    add,
    backfill,
    check,
    demo,
    env,
    events,
    failures,
    ingest,
    init,
    internal,
    logs,
    new,
    reconcile,
    replay,
    retry,
    run,
    schedules,
    status,
    up,
    vap,
)
from runner.cli.deploy import bucket_notifications
from runner.errors import RunnerError

VERSION = "0.1.0"  # as in pyproject.toml


EVENTS = "events"
# Panels of `runner --help`, the most used first; a name alone is a group of commands.
PANELS: dict[str, tuple[Callable[..., None] | str, ...]] = {
    "Run": (up.up, run.run, ingest.ingest, demo.demo, new.new, init.init, add.add),
    "Look": (status.status, logs.logs, check.check),
    "Repair": (failures.failures, retry.retry, retry.forget, reconcile.reconcile),
    "Schedules and events": (schedules.schedules, schedules.trigger, vap.vap, EVENTS, replay.replay, backfill.backfill),
    "AWS": (env.env, bucket_notifications.notify_eventbridge),
}


class InOrderOfPanels(TyperGroup):
    """A group that lists its commands in the order of the panels; Typer would list groups last."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Return the names of all commands in order."""
        names = [entry if isinstance(entry, str) else name_of(entry) for row in PANELS.values() for entry in row]
        return names + [name for name in self.commands if name not in names]


def name_of(command: Callable[..., None]) -> str:
    """Return the name of a command as it is typed."""
    return command.__name__.replace("_", "-")


app = typer.Typer(
    name="runner",
    cls=InOrderOfPanels,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
for panel, commands in PANELS.items():
    for command in commands:
        if isinstance(command, str):
            app.add_typer(events.app, name=command, rich_help_panel=panel)
        else:
            app.command(name_of(command), rich_help_panel=panel)(command)
app.add_typer(internal.app)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"tsdat-local {VERSION}\n")
        raise typer.Exit


def _use_project(folder: Path | None) -> Path | None:
    """Let every process read the project from RUNNER_ROOT."""
    if folder:
        os.environ["RUNNER_ROOT"] = str(folder.absolute())
    return folder


@app.callback()
def runner(
    project: Annotated[
        Path | None,
        typer.Option(
            "--project",
            metavar="DIR",
            callback=_use_project,
            help="Folder with pipelines/. [default: RUNNER_ROOT, or the current folder if it has pipelines/]",
            show_default=False,
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Run, test and debug tsdat pipelines on the path they take on AWS: on this machine, offline.

    **New here?** `runner demo` sends sample data through the path. `runner up` keeps the stack running and processes
    each file that you drop into `data/inbox`. In a repository of your own, laid out as tsdat's template, run it from
    there, or name the folder with `--project`.
    """


def main() -> None:
    """Run the command line. Print an error that is meant for the user as one line, without a traceback."""
    try:
        app(prog_name="runner")
    except (RunnerError, OSError) as error:  # the system's errors name the file: a full disk, no permission
        from runner.cli.output import progress

        progress.print(f"error: {error}", markup=False, style="red")
        sys.exit(2)
