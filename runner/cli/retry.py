"""`runner retry` and `runner forget`: re-queue what failed for good, or drop it."""

from __future__ import annotations

import sys
from typing import Annotated, Optional

import typer

from runner.cli.options import AsJson, Data, chosen
from runner.cli.output import MARKS, print_json, results, say
from runner.errors import SettingsError, StackError
from runner.services.reconciler import decisions
from runner.services.reconciler.failures import selected
from runner.services.reconciler.repair import opened_for_command

_NOTHING = "No file has failed for good, so there is nothing to retry."

Ids = Annotated[list[str], typer.Argument(help="IDs or files as `runner failures` shows them.", show_default=False)]
SomeIds = Annotated[
    Optional[list[str]],  # noqa: UP045  Typer reads this at run time
    typer.Argument(help="IDs or files as `runner failures` shows them.", show_default=False),
]
OfPipeline = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--pipeline", help="Only in this pipeline, if several process a file.", show_default=False),
]


def retry(
    ids: SomeIds = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that failed for good.")] = False,
    pipeline: OfPipeline = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Retry what failed for good, after the cause is fixed.

    `runner retry 1f2e3d4c` for one file, `runner retry --all` for all, each with `--pipeline NAME` for one of several
    pipelines that process a file. If the emulator was restarted since, the file is uploaded from the inbox again. The
    exit code is 1 if a file cannot be retried.
    """
    if bool(ids) == everything:
        raise SettingsError("Name the failures to retry, `runner retry ID …`, or retry all: `runner retry --all`.")
    with opened_for_command(chosen(data)) as reconciler:
        if reconciler.backend is None:
            raise StackError(f"No stack runs on {reconciler.settings.data}. Start one with `runner up`, then retry.")
        failures = selected(reconciler, ids, pipeline)
        decided = decisions.retry(reconciler, reconciler.backend.queues, failures, say)
    _print(decided, as_json=as_json, otherwise=_NOTHING)
    sys.exit(any(outcome != "retried" for _, outcome, _ in decided))


def forget(
    ids: Ids,
    why: Annotated[str, typer.Option(help="The reason; `runner status` shows it.", show_default=False)],
    pipeline: OfPipeline = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Drop what failed for good, with the reason.

    It leaves the dead-letter queue, and `runner status` shows it as forgotten: `runner forget 1f2e3d4c --why "a test"`.
    """
    if not why.strip():
        raise StackError("--why is empty. Give the reason why these files are not needed: `runner status` shows it.")
    with opened_for_command(chosen(data)) as reconciler:
        _print(decisions.forget(reconciler, selected(reconciler, ids, pipeline), why.strip()), as_json=as_json)


def _print(decided: decisions.Decisions, *, as_json: bool, otherwise: str = "") -> None:
    rows = [(failure.id, failure.file, *result) for failure, *result in decided]
    if as_json:
        print_json([dict(zip(("id", "file", "outcome", "text"), row, strict=True)) for row in rows])
        return
    for name, file, outcome, text in rows:
        is_done = outcome in ("retried", "forgotten")
        line = f"{MARKS[outcome]} {name} {file}{'' if is_done else ':'} {text}"
        results.print(line, markup=False, style=None if is_done else "red")
    if not rows:
        results.print(otherwise)
