"""`runner failures`: what failed for good, with its pipeline, its error and the number of attempts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Annotated, Any

import typer

from runner.cli.options import AsJson, Data, chosen
from runner.cli.output import results
from runner.messages import run_summary
from runner.messages.object_keys import printable
from runner.messages.run_record import Version, versions
from runner.messages.run_summary import short_id
from runner.settings import Settings
from runner.state.database import State
from runner.state.runs import Run

# A narrower terminal would break each name into many lines.
_TABLE_COLUMNS = 100
_PAGE = 50
_NEXT = "Tracebacks: `runner logs NAME --failed`. Retry: `runner retry ID`. Drop: `runner forget ID --why TEXT`."


@dataclass(frozen=True)
class DeadLetter:
    """A run that is not retried unless a person asks for it, with the versions that it decides."""

    versions: tuple[Version, ...]
    run: Run
    failed_runs: int
    """How many runs of its versions failed, at most."""

    @property
    def id(self) -> str:
        """Short, and the same for the same content under the same key."""
        return short_id(self.versions[0])


def dead_lettered(state: State, newest: int | None = None) -> list[DeadLetter]:
    """Return what is dead-lettered, oldest first; only the newest if a number is given."""
    by_run: dict[int, list[tuple[Version, int]]] = {}
    for known in state.versions.with_outcome("dead-lettered"):
        by_run.setdefault(known.run_id or 0, []).append((known.version, known.failures))
    chosen_ids = islice(reversed(by_run), newest)
    return [_failure(state.runs.get(run_id), by_run[run_id]) for run_id in reversed(list(chosen_ids))]


def _failure(run: Run, about: Iterable[tuple[Version, int]]) -> DeadLetter:
    """Return a failure whose first version is the one that its event named: the queue knows the file by it."""
    failed_runs = dict(about)
    named = versions(run.record)[::-1]
    in_order = sorted(failed_runs, key=lambda version: named.index(version) if version in named else 0)
    return DeadLetter(tuple(in_order), run, max(failed_runs.values()))


def failures(
    everything: Annotated[bool, typer.Option("--all", help=f"All failures, not only the newest {_PAGE}.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show what failed for good: file, pipeline, time, attempts and error.

    `runner failures --json` prints all fields. `runner retry ID` and `runner forget ID --why TEXT` take the IDs.
    """
    settings = chosen(data)
    with closing(State(settings.state)) as state:
        found = dead_lettered(state, None if everything or as_json else _PAGE)
        rows = [_row(failure, state) for failure in found]
        left_out = len({known.run_id for known in state.versions.with_outcome("dead-lettered")}) - len(found)
    if as_json:
        dead = _in_dead_letter_queue(settings)
        for row, failure in zip(rows, found, strict=True):
            row["in_dead_letter_queue"] = None if dead is None else not dead.isdisjoint(failure.versions)
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    elif rows:
        _print(rows)
        more = f"{left_out} older failures are not shown: --all. " if left_out else ""
        results.print(f"\n{more}{_NEXT}", markup=False)
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
    described = stack_template.load(settings.root / "template.yaml")
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
    from rich.table import Table
    from rich.text import Text

    lines = [(*_about(row), _error(row)) for row in rows]
    if results.width < _TABLE_COLUMNS:
        for name, *about, error in lines:
            results.print(Text(f"{name} {', '.join(about)}\n  {error}", overflow="fold"), soft_wrap=False)
        return
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("ID", "file", "pipeline", "when", "tried", "error"):
        table.add_column(heading, overflow="fold")
    for cells in lines:
        table.add_row(*map(Text, cells))
    results.print(table)


def _about(row: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    when = row["when"][:19].replace("T", " ")
    return row["id"], row["file"], row["pipeline"] or "–", when, f"{row['tried']} ×"


def _error(row: Mapping[str, Any]) -> str:
    text = f"{row['error'].get('type')}: {row['error'].get('message', '').strip()}"
    if row["replaced"]:
        text += f"\n(A newer version has succeeded since: `runner forget {row['id']} --why replaced`)"
    return text
