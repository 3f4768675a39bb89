"""Every run, as the event source mapping recorded it, newest last."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypedDict

from runner.messages.run_record import FINAL, Job, Outcome, RunRecord, Version, replaced, versions
from runner.messages.run_summary import keys, title, why
from runner.state.transaction import transaction
from runner.state.versions import Versions

# Runs at the same time may be recorded in another order than they stored; they are among the last so many.
_MOST_AT_ONCE = 100
_READ_A_NEWER_VERSION = "Its run read a newer version of the object."


class _More(TypedDict):
    """What a run adds to the outcome of its versions."""

    pipeline: str | None
    run_id: int


@dataclass(frozen=True)
class Run:
    """A run with its number; `attempt` is SQS's receive count."""

    id: int
    ended_at: float
    outcome: Outcome
    attempt: int
    record: RunRecord


def _run(row: sqlite3.Row) -> Run:
    return Run(row["id"], row["ended_at"], row["outcome"], row["attempt"], json.loads(row["record"]))


class Runs:
    """All runs; each one sets the outcome of the versions that it read."""

    def __init__(self, db: sqlite3.Connection, versions: Versions) -> None:
        self._db, self._versions = db, versions

    def add(self, record: RunRecord, outcome: Outcome, attempt: int = 1, body_md5: str = "") -> int:
        """Record a run and the outcome of its versions in one transaction; return its number.

        Args:
            record: what the handler returned.
            outcome: what it means for its inputs.
            attempt: SQS's receive count.
            body_md5: of its message. A schedule's message names no file, so its outcome is found by the message.
        """
        by_message = body_md5 and (record.get("schedule") or (record["status"] == "failed" and not versions(record)))
        reason = record["reason"] or why(record)
        read = {(item["key"], item["etag"] or "") for item in record["inputs"]}
        with transaction(self._db):
            cursor = self._db.execute(
                "INSERT INTO runs (ended_at, outcome, attempt, message_id, pipeline, subject, record) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    time.time(), outcome, attempt, record["message_id"], record["pipeline"],
                    f"{title(record)}, {keys(record)}", json.dumps(record),
                ),
            )  # fmt: skip
            run_id = int(cursor.lastrowid or 0)
            config, more = record["config"] or "", _More(pipeline=record["pipeline"], run_id=run_id)
            for version in dict.fromkeys(versions(record)):
                is_replaced = version not in read
                late = outcome == "succeeded" and is_replaced
                before = {known.config: known.outcome for known in self._versions.of(version)}
                if outcome == "succeeded" and not late and before.get(config) in FINAL:
                    self._versions.add_uploaded(version)  # content that returned to the bucket without the watcher
                result: tuple[Outcome, str] = ("skipped", _READ_A_NEWER_VERSION) if late else (outcome, reason)
                self._versions.set_outcome(version, *result, config, is_replaced=is_replaced, **more)
            if by_message:
                self._versions.set_outcome(("", body_md5), outcome, reason, **more)
            self._note_replaced(self.get(run_id))
        return run_id

    def _note_replaced(self, run: Run) -> None:
        """Record which versions have lost an output to a run, or this run to one that was recorded before it."""
        replacing = [run]
        for item in run.record["inputs"]:
            rows = self._db.execute(
                "SELECT * FROM runs WHERE id > ? AND instr(record, ?)",
                (run.id - _MOST_AT_ONCE, f'"replaced_input": {json.dumps(item["key"])}'),
            )
            replacing += map(_run, rows)
        for later in replacing:
            for output, key in replaced(later.record):
                self._replace(later, output, key)

    def _replace(self, later: Run, output: str, key: str) -> None:
        """Record that a run has replaced an output of another input."""
        by = [item["key"] for item in later.record["inputs"]]
        for known in self._versions.of_key(key):
            earlier = self.get(known.run_id) if known.run_id and known.outcome == "succeeded" else None
            own = [one for one in earlier.record["outputs"] if one["key"] == output] if earlier else []
            if earlier and any(earlier.id < later.id or one.get("replaced_input") not in by for one in own):
                reason = f"Its output {output} was replaced by that of {keys(later.record)}."
                self._versions.set_outcome(known.version, "replaced", reason, known.config)

    def get(self, run_id: int) -> Run:
        """Return one run."""
        return _run(self._db.execute("SELECT * FROM runs WHERE id = ?", (run_id,)).fetchone())

    def of(self, job: Version | Job) -> Run | None:
        """Return the latest run of a version, in any pipeline or in that with a config; None if it never ran."""
        ids = [known.run_id or 0 for known in self._versions.of((job[0], job[1])) if job in (known.version, known.job)]
        return self.get(max(ids)) if any(ids) else None

    def last_id(self) -> int:
        """Return the number of the newest run; 0 if there is none."""
        return int(self._db.execute("SELECT coalesce(max(id), 0) AS id FROM runs").fetchone()["id"])

    def after(self, run_id: int) -> list[Run]:
        """Return the runs that were recorded after one, oldest first."""
        return [_run(row) for row in self._db.execute("SELECT * FROM runs WHERE id > ? ORDER BY id", (run_id,))]

    def of_message(self, message_id: str) -> list[Run]:
        """Return the runs of an SQS message, oldest first."""
        rows = self._db.execute("SELECT * FROM runs WHERE message_id = ? ORDER BY id", (message_id,))
        return [_run(row) for row in rows]

    def newest(
        self, name: str = "", pipeline: str | None = None, outcomes: Iterable[Outcome] = (), after: int = 0
    ) -> Iterator[Run]:
        """Return runs, newest first, one at a time.

        Args:
            name: only those whose inputs or schedule contain this.
            pipeline: only those of this pipeline, and those that do not name theirs, because the Lambda died.
            outcomes: only these; all if empty.
            after: only those with a higher number.
        """
        wanted = list(outcomes)
        conditions = ["id > :after"]
        conditions += ["outcome IN (SELECT value FROM json_each(:outcomes))"] if wanted else []
        conditions += ["instr(subject, :name)"] if name else []
        conditions += ["(pipeline = :pipeline OR pipeline IS NULL)"] if pipeline else []
        query = f"SELECT * FROM runs WHERE {' AND '.join(conditions)} ORDER BY id DESC"  # noqa: S608
        parameters = {"after": after, "outcomes": json.dumps(wanted), "name": name, "pipeline": pipeline}
        return (_run(row) for row in self._db.execute(query, parameters))
