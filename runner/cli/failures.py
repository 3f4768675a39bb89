"""`runner failures`: what failed for good, with its pipeline, its error and the number of attempts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.cli.options import AsJson, Data, chosen
from runner.cli.output import grid, print_json, results
from runner.messages.object_keys import printable
from runner.messages.run_summary import title
from runner.services.reconciler.failures import Failure, dead_lettered
from runner.settings import Settings
from runner.state.database import State
from runner.state.runs import Run

if TYPE_CHECKING:
    from runner.aws.sqs import Message

# A narrower terminal would break each name into many lines.
_TABLE_COLUMNS = 100
_PAGE = 50
_MORE = "Older failures are not shown: --all. "
_NEXT = "Tracebacks: `runner logs NAME --failed`. Retry: `runner retry ID`. Drop: `runner forget ID --why TEXT`."


def failures(
    everything: Annotated[bool, typer.Option("--all", help=f"All failures, not only the newest {_PAGE}.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show what failed for good, with the error.

    `runner failures --json` prints all fields. `runner retry ID` and `runner forget ID --why TEXT` take the IDs.
    """
    settings = chosen(data)
    with closing(State(settings.state)) as state:
        found = dead_lettered(state)
        shown = list(islice(found, None if everything or as_json else _PAGE))[::-1]
        is_more = next(found, None) is not None
        rows = [_row(failure, failure.run, state) for failure in shown if failure.run]
    if as_json:
        dead = _dead_letters(settings)
        for row, failure in zip(rows, shown, strict=True):
            row["in_dead_letter_queue"] = None if dead is None else _is_among(failure, dead)
        print_json(rows)
    elif rows:
        _print(rows)
        results.print(f"\n{_MORE if is_more else ''}{_NEXT}", markup=False)
    else:
        results.print("No file has failed for good.")


def _dead_letters(settings: Settings) -> list[Message] | None:
    """Return what the dead-letter queue holds; None without a stack."""
    from runner.services.reconciler.repair import opened_for_command

    with opened_for_command(settings) as reconciler:
        return reconciler.backend.queues.dead() if reconciler.backend else None


def _is_among(failure: Failure, dead: Iterable[Message]) -> bool:
    return any(message.concerns(job) for message in dead for job in failure.jobs)


def _row(failure: Failure, run: Run, state: State) -> dict[str, Any]:
    return {
        "id": failure.id,
        "file": printable(title(run.record)),
        "etag": failure.versions[0][1],
        "pipeline": run.record["pipeline"],
        "when": datetime.fromtimestamp(run.ended_at).astimezone().isoformat(timespec="seconds"),
        "tried": max(run.attempt, failure.failed_runs),
        "error": {name: value for name, value in (run.record["error"] or {}).items() if name != "traceback"},
        "replaced": _is_replaced(failure, state),
    }


def _is_replaced(failure: Failure, state: State) -> bool:
    """Return whether newer versions of all its files have succeeded since."""
    newest = [state.versions.current(key) if key else None for key, _ in failure.versions]
    return all(known is not None and known.outcome == "succeeded" for known in newest)


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    lines = [
        (row["id"], row["file"], row["pipeline"] or "–", row["when"][:19].replace("T", " "), f"{row['tried']} ×",
         _error(row))
        for row in rows
    ]  # fmt: skip
    if results.width >= _TABLE_COLUMNS:
        results.print(grid(("ID", "file", "pipeline", "when", "tried", "error"), lines))
        return
    for name, *about, error in lines:
        results.print(f"{name} {', '.join(about)}\n  {error}", markup=False)


def _error(row: Mapping[str, Any]) -> str:
    text = f"{row['error'].get('type')}: {row['error'].get('message', '').strip()}"
    if row["replaced"]:
        text += f"\n(A newer version has succeeded since: `runner forget {row['id']} --why replaced`)"
    return text
