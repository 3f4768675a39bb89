"""What has failed for good: what, when, in which pipeline, why, and how often it was tried."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runner.cli.options import AsJson, Data, chosen
from runner.cli.output import results
from runner.messages import run_summary
from runner.messages.object_keys import printable
from runner.messages.run_record import Version, versions
from runner.messages.run_summary import short_id
from runner.services.reconciler.repair import opened
from runner.settings import Settings
from runner.state.runs import History, Run
from runner.state.stack_lock import running_at
from runner.template import stack_template

# Columns; a narrower terminal would break each name into many lines.
_WORTH_A_TABLE = 100


@dataclass(frozen=True)
class Failure:
    """Something that is not tried again unless somebody says so, with all versions that it is about."""

    versions: tuple[Version, ...]
    run: Run

    @property
    def id(self) -> str:
        """Short, and the same for the same content under the same key."""
        return short_id(self.versions[0])


def dead_lettered(history: History) -> list[Failure]:
    """What has ended in the dead-letter queue and is not tried again, oldest first."""
    latest = history.latest()
    return [Failure(_in_order(run, about), run) for run, about in latest if run.outcome == "dead-lettered"]


def _in_order(run: Run, about: Iterable[Version]) -> tuple[Version, ...]:
    """The version that the event named first: the queue knows the file by it."""
    named = versions(run.record)[::-1]
    return tuple(sorted(about, key=lambda version: named.index(version) if version in named else 0))


def show(settings: Settings, *, as_json: bool) -> None:
    """Print what failed, as a table or as JSON."""
    with opened(settings, stack_template.load(settings.root / "template.yaml"), running_at(settings)) as books:
        dead = None
        if books.backend:
            dead = {version for message in books.backend.queues.dead() for version in message.versions}
        rows = [_row(failure, books.history, dead) for failure in dead_lettered(books.history)]
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    elif rows:
        _print(rows)
        results.print(f"\n{_NEXT}", markup=False)
    else:
        results.print("Nothing has failed for good.")


_NEXT = "Tracebacks: `runner logs NAME --failed`. Try again: `runner retry ID`. Give up: `runner forget ID --why TEXT`."


def _row(failure: Failure, history: History, dead: set[Version] | None) -> dict[str, Any]:
    record, run = failure.run.record, failure.run
    return {
        "id": failure.id,
        "file": printable(run_summary.title(record)),
        "etag": failure.versions[0][1],
        "pipeline": record["pipeline"],
        "when": datetime.fromtimestamp(run.ended_at).astimezone().isoformat(timespec="seconds"),
        "tried": max([run.attempt, *(history.tries(version) for version in failure.versions)]),
        "error": {name: value for name, value in (record["error"] or {}).items() if name != "traceback"},
        "replaced": _is_replaced(failure, history),
        "in_dead_letter_queue": None if dead is None else not dead.isdisjoint(failure.versions),
    }


def _is_replaced(failure: Failure, history: History) -> bool:
    """Whether newer versions of all its files have succeeded since; what names no file has no versions."""
    newest = [history.newest(key) if key else None for key, _ in failure.versions]
    return all(run is not None and run.id > failure.run.id and run.outcome == "succeeded" for run in newest)


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    told = [(*_about(row), _error(row)) for row in rows]
    if results.width < _WORTH_A_TABLE:
        for name, *about, error in told:
            results.print(Text(f"{name} {', '.join(about)}\n  {error}", overflow="fold"), soft_wrap=False)
        return
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("ID", "file", "pipeline", "when", "tried", "error"):
        table.add_column(heading, overflow="fold")
    for cells in told:
        table.add_row(*map(Text, cells))
    results.print(table)


def _about(row: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    when = row["when"][:19].replace("T", " ")
    return row["id"], row["file"], row["pipeline"] or "–", when, f"{row['tried']} ×"


def _error(row: Mapping[str, Any]) -> str:
    text = f"{row['error'].get('type')}: {row['error'].get('message', '').strip()}"
    if row["replaced"]:
        text += f"\n(Replaced since by what succeeded: `runner forget {row['id']} --why replaced`)"
    return text


def failures(data: Data = None, json: AsJson = False) -> None:
    """Show what has failed for good: what, when, in which pipeline, why, and how often it was tried."""

    show(chosen(data), as_json=json)
