"""What has failed for good: what, when, in which pipeline, why, and how often it was tried."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from runner import report, template
from runner.books import opened
from runner.history import History, Run, Version, versions
from runner.keys import printable
from runner.presence import running_at
from runner.settings import Settings
from runner.terminal import results

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Failure:
    """Something that is not tried again unless somebody says so, with all versions that it is about."""

    versions: tuple[Version, ...]
    run: Run

    @property
    def id(self) -> str:
        """Short, and the same for the same content under the same key."""
        return short_id(self.versions[0])


def short_id(version: Version) -> str:
    """How people call a version."""
    return hashlib.sha256("\n".join(version).encode()).hexdigest()[:8]


def failures(history: History) -> list[Failure]:
    """What has ended in the dead-letter queue and is not tried again, oldest first."""
    latest = history.latest()
    return [Failure(_in_order(run, about), run) for run, about in latest if run.outcome == "dead-lettered"]


def _in_order(run: Run, about: Iterable[Version]) -> tuple[Version, ...]:
    """The version that the event named first: the queue knows the file by it."""
    named = versions(run.record)[::-1]
    return tuple(sorted(about, key=lambda version: named.index(version) if version in named else 0))


def show(settings: Settings, *, as_json: bool) -> None:
    """Print what failed, as a table or as JSON."""
    with opened(settings, template.load(settings.root / "template.yaml"), running_at(settings)) as books:
        dead = None
        if books.backend:
            dead = {version for message in books.backend.queues.dead() for version in message.versions}
        rows = [_row(failure, books.history, dead) for failure in failures(books.history)]
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    elif rows:
        results.print(_table(rows))
        results.print(f"\n{_NEXT}", markup=False)
    else:
        results.print("Nothing has failed for good.")


_NEXT = "Tracebacks: `runner logs NAME --failed`. Try again: `runner retry ID`. Give up: `runner forget ID --why TEXT`."


def _row(failure: Failure, history: History, dead: set[Version] | None) -> dict[str, Any]:
    record, run = failure.run.record, failure.run
    return {
        "id": failure.id,
        "file": printable(report.title(record)),
        "etag": failure.versions[0][1],
        "pipeline": record["pipeline"],
        "when": datetime.fromtimestamp(run.ended_at).astimezone().isoformat(timespec="seconds"),
        "tried": max([run.attempt, *(history.tries(version) for version in failure.versions)]),
        "error": {name: value for name, value in (record["error"] or {}).items() if name != "traceback"},
        "in_dead_letter_queue": None if dead is None else not dead.isdisjoint(failure.versions),
    }


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(show_edge=False, pad_edge=False)
    for heading in ("ID", "file", "pipeline", "when", "tried", "error"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        error = f"{row['error'].get('type')}: {row['error'].get('message', '').strip()}"
        when = row["when"][:19].replace("T", " ")
        cells = (row["file"], row["pipeline"] or "–", when, f"{row['tried']} ×", error)
        table.add_row(row["id"], *map(escape, cells))
    return table
