"""The outcome of each object version: one row for a key and an ETag, however often it ran.

A message that names no object, such as a schedule's, has the key "" and the MD5 of its body.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runner.messages.run_record import Outcome, Version
from runner.state.transaction import transaction


@dataclass(frozen=True)
class KnownVersion:
    """A version with its outcome. `reason` is why it has no outputs; `run_id` is its latest run, if any."""

    key: str
    etag: str
    arrival: int
    """A number that grows with each arrival of content: a key's current version has its highest."""
    change: int
    """A number that grows with each change of any version: the newest change has the highest."""
    outcome: Outcome
    reason: str
    failures: int
    """How many of its runs failed."""
    pipeline: str | None
    run_id: int | None

    @property
    def version(self) -> Version:
        """Key and ETag."""
        return self.key, self.etag


_ONLY_CURRENT = "NOT EXISTS (SELECT 1 FROM versions n WHERE n.key = v.key AND n.key != '' AND n.arrival > v.arrival)"
_NEXT = "(SELECT coalesce(max(change), 0) + 1 FROM versions)"


class Versions:
    """All versions that were uploaded or ran."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def _select(self, condition: str, parameters: Any, order: str = "change") -> Iterator[KnownVersion]:
        query = f"SELECT v.* FROM versions v WHERE {condition} ORDER BY {order}"  # noqa: S608  constants
        return (KnownVersion(*row) for row in self._db.execute(query, parameters))

    def get(self, version: Version) -> KnownVersion | None:
        """Return one version; None if it was neither uploaded nor ran."""
        return next(self._select("key = ? AND etag = ?", version), None)

    def outcome(self, version: Version) -> Outcome | None:
        """Return the latest outcome of a version; None if it is unknown."""
        found = self.get(version)
        return found.outcome if found else None

    def of_key(self, key: str) -> list[KnownVersion]:
        """Return all versions of a key, the current one last."""
        return list(self._select("key = ?", (key,), "arrival"))

    def current(self, key: str) -> KnownVersion | None:
        """Return the version of a key that arrived last."""
        return next(self._select("key = ?", (key,), "arrival DESC"), None)

    def add_uploaded(self, version: Version) -> None:
        """Record that a version arrived: it is the current one of its key, and keeps the outcome that it has."""
        self._db.execute(
            "INSERT INTO versions (key, etag, arrival, change, outcome, reason, failures) "  # noqa: S608  a constant
            f"VALUES (?, ?, {_NEXT}, {_NEXT}, 'uploaded', '', 0) ON CONFLICT (key, etag) DO UPDATE "
            "SET arrival = excluded.arrival, change = excluded.change WHERE EXISTS "
            "(SELECT 1 FROM versions n WHERE n.key = excluded.key AND n.arrival > versions.arrival)",
            version,
        )

    def set_outcome(
        self, version: Version, outcome: Outcome, reason: str, run_id: int | None = None, pipeline: str | None = None,
        *, is_replaced: bool = False,
    ) -> None:  # fmt: skip
        """Record an outcome of a version; what else is known of it stays unless it is given.

        Args:
            is_replaced: another version of the key is known to be newer.
        """
        with transaction(self._db):
            self._db.execute(
                "INSERT INTO versions (key, etag, arrival, change, outcome, reason, failures, pipeline, run_id) "  # noqa: S608  constants
                f"VALUES (:key, :etag, {0 if is_replaced else _NEXT}, {_NEXT}, "
                ":outcome, :reason, :failed, :pipeline, :run_id) "
                "ON CONFLICT (key, etag) DO UPDATE SET change = excluded.change, outcome = excluded.outcome, "
                "reason = excluded.reason, failures = failures + :failed, "
                "pipeline = coalesce(excluded.pipeline, pipeline), run_id = coalesce(excluded.run_id, run_id)",
                {
                    "key": version[0], "etag": version[1], "outcome": outcome, "reason": reason, "run_id": run_id,
                    "pipeline": pipeline, "failed": int(run_id is not None and outcome in ("failed", "dead-lettered")),
                },
            )  # fmt: skip
            self._db.execute("DELETE FROM unaccounted WHERE key = ? AND etag = ?", version)

    def each(self) -> Iterator[tuple[KnownVersion, list[str]]]:
        """Return all versions in the order of their keys, one at a time, each with its latest run's output keys."""
        rows = self._db.execute(
            "SELECT v.*, (SELECT json_group_array(json_extract(output.value, '$.key')) "
            "FROM json_each(r.record, '$.outputs') output) AS outputs "
            "FROM versions v LEFT JOIN runs r ON r.id = v.run_id ORDER BY v.key, v.etag"
        )
        for *known, outputs in rows:
            yield KnownVersion(*known), json.loads(outputs or "[]")

    def with_outcome(self, *outcomes: Outcome) -> list[KnownVersion]:
        """Return all versions with one of some outcomes, oldest change first."""
        return list(self._select(f"outcome IN ({', '.join('?' * len(outcomes))})", outcomes))

    def changed_since(self, change: int) -> list[KnownVersion]:
        """Return the versions that changed after a change, oldest first."""
        return list(self._select("change > ?", (change,)))

    def newest(
        self, before: int | None = None, outcomes: Iterable[str] = (), pipeline: str | None = None, name: str = ""
    ) -> Iterator[KnownVersion]:
        """Return the current version of each key, one at a time, latest change first.

        Args:
            before: only those with a smaller `change`: the next page.
            outcomes: only these; all if empty.
            pipeline: only those of this pipeline.
            name: only keys that contain this.
        """
        wanted = list(outcomes)
        conditions = [_ONLY_CURRENT, *(["v.change < :before"] if before is not None else [])]
        conditions += ["v.outcome IN (SELECT value FROM json_each(:outcomes))"] if wanted else []
        conditions += ["v.pipeline = :pipeline"] if pipeline else []
        conditions += ["instr(v.key, :name)"] if name else []
        parameters = {"before": before, "outcomes": json.dumps(wanted), "pipeline": pipeline, "name": name}
        return self._select(" AND ".join(conditions), parameters, "change DESC")

    def set_unaccounted(self, problems: Mapping[Version, str]) -> None:
        """Record which versions the reconciler could not account for, in place of those it recorded before."""
        rows = [(*version, problem) for version, problem in problems.items()]
        with transaction(self._db):
            self._db.execute("DELETE FROM unaccounted")
            self._db.executemany("INSERT INTO unaccounted (key, etag, problem) VALUES (?, ?, ?)", rows)

    def unaccounted(self) -> dict[Version, str]:
        """Return the problems that the reconciler recorded last."""
        return {(row["key"], row["etag"]): row["problem"] for row in self._db.execute("SELECT * FROM unaccounted")}
