"""`runner failures`: what failed for good, with its pipeline, its error and the number of attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime
from itertools import islice
from typing import Annotated, Any

import typer

from runner.cli.options import AsJson, Data, chosen
from runner.cli.output import grid, print_json, results
from runner.messages import run_summary
from runner.messages.object_keys import printable
from runner.messages.run_record import Version
from runner.settings import Settings
from runner.state.database import State
from runner.state.dead_letters import DeadLetter, dead_lettered

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
        rows = [_row(failure, state) for failure in shown]
    if as_json:
        dead = _in_dead_letter_queue(settings)
        for row, failure in zip(rows, shown, strict=True):
            row["in_dead_letter_queue"] = None if dead is None else not dead.isdisjoint(failure.versions)
        print_json(rows)
    elif rows:
        _print(rows)
        results.print(f"\n{_MORE if is_more else ''}{_NEXT}", markup=False)
    else:
        results.print("No file has failed for good.")


def _in_dead_letter_queue(settings: Settings) -> set[Version] | None:
    """Return the versions that the dead-letter queue holds; None without a stack."""
    from runner.services.reconciler.snapshot import Backend
    from runner.state.stack_lock import running_at
    from runner.template import stack_template

    endpoint_url = running_at(settings)
    if endpoint_url is None:
        return None
    described = stack_template.load_for(settings)
    queues = Backend.at(endpoint_url, described).queues
    return {version for message in queues.dead() for version in message.versions}


def _row(failure: DeadLetter, state: State) -> dict[str, Any]:
    record, run = failure.run.record, failure.run
    return {
        "id": failure.id,
        "file": printable(run_summary.title(record)),
        "etag": failure.versions[0][1],
        "pipeline": record["pipeline"],
        "when": datetime.fromtimestamp(run.ended_at).astimezone().isoformat(timespec="seconds"),
        "tried": max(run.attempt, failure.failed_runs),
        "error": {name: value for name, value in (record["error"] or {}).items() if name != "traceback"},
        "replaced": _is_replaced(failure, state),
    }


def _is_replaced(failure: DeadLetter, state: State) -> bool:
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
