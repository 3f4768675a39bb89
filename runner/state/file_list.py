"""The current version of each key with its latest run, for lists: filtered, in pages, and counted."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, fields

from runner.messages.run_record import Outcome
from runner.state.runs import Run
from runner.state.versions import KnownVersion

_ONLY_CURRENT = "NOT EXISTS (SELECT 1 FROM versions n WHERE n.key = v.key AND n.key != '' AND n.arrival > v.arrival)"
_SELECT = (
    "SELECT v.*, r.id, r.ended_at, r.outcome AS run_outcome, r.attempt, r.record "
    "FROM versions v LEFT JOIN runs r ON r.id = v.run_id"
)
_VERSION_COLUMNS = tuple(field.name for field in fields(KnownVersion))


@dataclass(frozen=True)
class Listed:
    """A version and its latest run, if it ran."""

    known: KnownVersion
    run: Run | None


class FileList:
    """Reads versions and runs together: one query for a page, however long the history is."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def page(
        self, count: int, *, before: int | None = None, outcomes: Iterable[str] = (), pipeline: str = "",
        location: str = "", name: str = "", since: float = 0.0,
    ) -> list[Listed]:  # fmt: skip
        """Return some current versions, latest change first.

        Args:
            count: at most so many.
            before: only those with a smaller `change`: the next page.
            outcomes: only these; all if empty.
            pipeline: only those of this pipeline.
            location: only those whose run was for this location.
            name: only keys that contain this.
            since: only those whose run ended after this time in seconds, or that did not run yet.
        """
        wanted = list(outcomes)
        conditions = ["v.change < :before"] if before is not None else []
        # One is in the order of its index. Several would be sorted first; by `+` SQLite reads in the order of changes.
        several = "+v.outcome IN (SELECT value FROM json_each(:outcomes))"
        conditions += ["v.outcome = :outcome" if len(wanted) == 1 else several] if wanted else []
        conditions += ["v.pipeline = :pipeline"] if pipeline else []
        conditions += ["instr(v.key, :name)"] if name else []
        conditions += ["(r.ended_at IS NULL OR r.ended_at >= :since)"] if since else []
        conditions += ["json_extract(r.record, '$.location') = :location"] if location else []
        query = f"{_SELECT} WHERE {' AND '.join([*conditions, _ONLY_CURRENT])} ORDER BY v.change DESC LIMIT :count"
        parameters = {
            "before": before, "outcomes": json.dumps(wanted), "pipeline": pipeline, "location": location, "name": name,
            "since": since, "count": count, "outcome": wanted[0] if wanted else "",
        }  # fmt: skip
        return [_listed(row) for row in self._db.execute(query, parameters)]

    def changed_since(self, change: int, count: int) -> list[Listed]:
        """Return the newest current versions that changed after a change, latest first."""
        query = f"{_SELECT} WHERE v.change > ? AND {_ONLY_CURRENT} ORDER BY v.change DESC LIMIT ?"
        return [_listed(row) for row in self._db.execute(query, (change, count))]

    def last_change(self) -> int:
        """Return the number of the latest change; 0 without any."""
        return int(self._db.execute("SELECT coalesce(max(change), 0) FROM versions").fetchone()[0])

    def counts(self) -> dict[Outcome, int]:
        """Return how many keys have each outcome."""
        query = f"SELECT outcome, count(*) FROM versions v WHERE {_ONLY_CURRENT} GROUP BY outcome"  # noqa: S608
        return {row[0]: row[1] for row in self._db.execute(query)}

    def data_version(self) -> int:
        """Return a number that changes whenever another connection has changed the file; it costs microseconds."""
        return int(self._db.execute("PRAGMA data_version").fetchone()[0])


def _listed(row: sqlite3.Row) -> Listed:
    known = KnownVersion(**{name: row[name] for name in _VERSION_COLUMNS})
    if row["id"] is None:
        return Listed(known, None)
    return Listed(known, Run(row["id"], row["ended_at"], row["run_outcome"], row["attempt"], json.loads(row["record"])))
