"""The outcome of each object version in each pipeline that runs on it: one row, however often it ran.

With `multidispatch` several pipelines can run on a version. Until a run names its pipeline, a version has one row.

A message that names no object, such as a schedule's, has the key "" and the MD5 of its body.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runner.messages.run_record import FINAL, OPEN, AboutJob, Job, Outcome, Version
from runner.state.transaction import transaction


@dataclass(frozen=True)
class KnownVersion(AboutJob):
    """A version with its outcome in a pipeline: `reason` is why it has no outputs, `run_id` is its latest run."""

    arrival: int = 0
    """A number that grows with each arrival of content: a key's current version has its highest."""
    change: int = 0
    """A number that grows with each change of any version: the newest change has the highest."""
    outcome: Outcome = "uploaded"
    reason: str = ""
    failures: int = 0
    """How many of its runs failed."""
    pipeline: str | None = None
    run_id: int | None = None


_ONLY_CURRENT = "NOT EXISTS (SELECT 1 FROM versions n WHERE n.key = v.key AND n.key != '' AND n.arrival > v.arrival)"
_NEXT = "(SELECT coalesce(max(change), 0) + 1 FROM versions)"


class Versions:
    """All versions that were uploaded or ran."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def _select(self, condition: str, parameters: Any, order: str = "change") -> Iterator[KnownVersion]:
        query = f"SELECT v.* FROM versions v WHERE {condition} ORDER BY {order}"  # noqa: S608  constants
        return (KnownVersion(*row) for row in self._db.execute(query, parameters))

    def of(self, version: Version) -> list[KnownVersion]:
        """Return a version with its outcome in each pipeline; empty if it was neither uploaded nor ran."""
        return list(self._select("key = ? AND etag = ?", version, "config"))

    def has_several(self, version: Version) -> bool:
        """Return whether several pipelines process a version."""
        return version[0] != "" and len(self.of(version)) > 1

    def get(self, version: Version) -> KnownVersion | None:
        """Return a version with its worst outcome; None if it was neither uploaded nor ran."""
        return min(self.of(version), key=lambda known: (*OPEN, *FINAL).index(known.outcome), default=None)

    def outcome(self, version: Version) -> Outcome | None:
        """Return the worst outcome of a version; None if it is unknown."""
        found = self.get(version)
        return found.outcome if found else None

    def of_key(self, key: str) -> list[KnownVersion]:
        """Return all versions of a key, the current one last."""
        return list(self._select("key = ?", (key,), "arrival"))

    def current(self, key: str) -> KnownVersion | None:
        """Return the version of a key that arrived last, with its worst outcome."""
        latest = next(self._select("key = ?", (key,), "arrival DESC"), None)
        return latest and self.get(latest.version)

    def add_uploaded(self, version: Version) -> None:
        """Record that a version arrived: it is the current one of its key, and keeps the outcomes that it has."""
        with transaction(self._db):
            known, current = self.of(version), self.current(version[0])
            if not known:
                self._put(version, "", {"outcome": "uploaded", "reason": ""})
            elif current and current.arrival > known[0].arrival:
                (arrival,) = self._db.execute(f"SELECT {_NEXT}").fetchone()
                for one in known:
                    self._db.execute(
                        f"UPDATE versions SET arrival = ?, change = {_NEXT} "  # noqa: S608  a constant
                        "WHERE key = ? AND etag = ? AND config = ?",
                        (arrival, *one.job),
                    )

    def set_outcome(
        self, version: Version, outcome: Outcome, reason: str, config: str = "", *, pipeline: str | None = None,
        run_id: int | None = None, is_replaced: bool = False,
    ) -> None:  # fmt: skip
        """Record an outcome of a version; what else is known of it stays unless it is given.

        Args:
            config: of the pipeline that it concerns. Without one it concerns all that are in progress, or else all.
            is_replaced: another version of the key is known to be newer.
        """
        with transaction(self._db):
            known = self.of(version)
            if config and [one.config for one in known] == [""]:  # now its pipeline is known
                self._db.execute("UPDATE versions SET config = ? WHERE key = ? AND etag = ?", (config, *version))
            concerned = [one.config for one in known if one.outcome in OPEN] or [one.config for one in known] or [""]
            values = {"outcome": outcome, "reason": reason, "pipeline": pipeline, "run_id": run_id}
            arrival = known[0].arrival if known else 0 if is_replaced else None
            for name in [config] if config else concerned:
                self._put(version, name, values, arrival)
                self._db.execute(
                    "DELETE FROM unaccounted WHERE (key, etag) = (?, ?) AND config IN ('', ?)", (*version, name)
                )

    def _put(self, version: Version, config: str, values: Mapping[str, Any], arrival: int | None = None) -> None:
        """Insert or update a row; a new one arrives now unless it has arrived."""
        is_failure = values.get("run_id") is not None and values["outcome"] in ("failed", "dead-lettered")
        self._db.execute(
            "INSERT INTO versions (key, etag, config, arrival, change, outcome, reason, failures, pipeline, run_id) "  # noqa: S608  constants
            f"VALUES (:key, :etag, :config, coalesce(:arrival, {_NEXT}), {_NEXT}, :outcome, :reason, :failed, "
            ":pipeline, :run_id) "
            "ON CONFLICT (key, etag, config) DO UPDATE SET change = excluded.change, outcome = excluded.outcome, "
            "reason = excluded.reason, failures = failures + :failed, "
            "pipeline = coalesce(excluded.pipeline, pipeline), run_id = coalesce(excluded.run_id, run_id)",
            {"pipeline": None, "run_id": None, **values, "key": version[0], "etag": version[1], "config": config,
             "arrival": arrival, "failed": int(is_failure)},
        )  # fmt: skip

    def each(self) -> Iterator[tuple[KnownVersion, list[str]]]:
        """Return all versions in the order of their keys, one at a time, each with its latest run's output keys."""
        rows = self._db.execute(
            "SELECT v.*, (SELECT json_group_array(json_extract(output.value, '$.key')) "
            "FROM json_each(r.record, '$.outputs') output) AS outputs "
            "FROM versions v LEFT JOIN runs r ON r.id = v.run_id ORDER BY v.key, v.etag, v.config"
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

    def set_unaccounted(self, problems: Mapping[Job, str]) -> None:
        """Record what the reconciler could not account for, in place of what it recorded before."""
        rows = [(*job, problem) for job, problem in problems.items()]
        with transaction(self._db):
            self._db.execute("DELETE FROM unaccounted")
            self._db.executemany("INSERT INTO unaccounted VALUES (?, ?, ?, ?)", rows)

    def unaccounted(self) -> dict[Job, str]:
        """Return the problems that the reconciler recorded last."""
        return {(row[0], row[1], row[2]): row[3] for row in self._db.execute("SELECT * FROM unaccounted")}
