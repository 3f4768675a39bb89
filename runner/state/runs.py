"""What became of every file: the runs, as the poller saw them end. They and the uploads name files by key and ETag.

People's commands, and the watcher when the same content comes again, add a line to the runs now and then.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner.messages.run_record import FINAL, Input, Outcome, RunRecord, Version, versions
from runner.state.database import database

_RUNS = """
CREATE TABLE IF NOT EXISTS runs (
    id INTEGER PRIMARY KEY, ended_at REAL NOT NULL, outcome TEXT NOT NULL, attempt INTEGER NOT NULL,
    record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS inputs (
    run_id INTEGER NOT NULL REFERENCES runs (id), key TEXT NOT NULL, etag TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS inputs_by_object ON inputs (key, etag, run_id);
CREATE TABLE IF NOT EXISTS kept (run_id INTEGER PRIMARY KEY);
"""


def _only(run: RunRecord, about: Iterable[Version]) -> RunRecord:
    """What a run's record is of some of its versions; without its schedule, unless its message is one of them."""
    wanted = set(about)
    inputs: list[Input] = [
        {"bucket": item["bucket"], "key": item["key"], "size": item["size"], "etag": etag}
        for item in run["inputs"]
        for etag in dict.fromkeys([item["etag"], item.get("named_etag", item["etag"])])
        if (item["key"], etag or "") in wanted
    ]
    made: RunRecord = {**run, "inputs": inputs}
    if all(key for key, _ in wanted):
        made["schedule"] = made["window"] = None
    return made


@dataclass(frozen=True)
class Run:
    """A run with its place in the history; `attempt` is SQS's receive count."""

    id: int
    ended_at: float
    outcome: Outcome
    attempt: int
    record: RunRecord


def _run(row: sqlite3.Row) -> Run:
    return Run(**{**row, "record": json.loads(row["record"])})


_LATEST_OF = "FROM runs WHERE id = (SELECT max(run_id) FROM inputs WHERE key = ? AND etag = ?)"


class History:
    """Every run that the poller saw end."""

    def __init__(self, state: Path) -> None:
        self._db = database(state / "history.sqlite", _RUNS)

    def add(self, run: RunRecord, outcome: Outcome, attempt: int = 1, body_md5: str = "") -> int:
        """Remember a run; gives its id.

        Args:
            run: its record.
            outcome: what it means for its inputs.
            attempt: SQS's receive count.
            body_md5: of its message, which a failure without inputs goes by.
        """
        # A schedule's message names no file: its retry has to find it by the message, also when the run had inputs.
        by_message = body_md5 and (run.get("schedule") or (run["status"] == "failed" and not versions(run)))
        about = versions(run) + ([("", body_md5)] if by_message else [])
        with self._transaction():
            cursor = self._db.execute(
                "INSERT INTO runs (ended_at, outcome, attempt, record) VALUES (?, ?, ?, ?)",
                (time.time(), outcome, attempt, json.dumps(run)),
            )
            run_id = int(cursor.lastrowid or 0)
            self._db.executemany("INSERT INTO inputs VALUES (?, ?, ?)", [(run_id, *version) for version in about])
        return run_id

    def enter(self, run: RunRecord, about: Iterable[Version], outcome: Outcome, attempt: int = 1) -> None:
        """Give some versions of a run another end, for its `reason`; what became of its others stays."""
        about = list(about)
        body_md5 = next((etag for key, etag in about if not key), "")
        self.add(_only(run, about), outcome, attempt, body_md5)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def outcome(self, key: str, etag: str) -> Outcome | None:
        """How the latest run of an object ended; None when it never ran."""
        row = self._db.execute(f"SELECT outcome {_LATEST_OF}", (key, etag)).fetchone()
        return row["outcome"] if row else None

    def of(self, key: str, etag: str) -> Run | None:
        """The latest run of an object."""
        row = self._db.execute(f"SELECT * {_LATEST_OF}", (key, etag)).fetchone()
        return _run(row) if row else None

    def ended_last(self, key: str, etag: str) -> bool:
        """Whether the latest run of any version of a key read this one, and was final."""
        run = self.newest(key)
        if run is None or run.outcome not in FINAL:
            return False
        return (key, etag) in [(item["key"], item["etag"]) for item in run.record["inputs"]]

    def newest(self, key: str) -> Run | None:
        """The latest run of any version of a key."""
        row = self._db.execute(
            "SELECT * FROM runs WHERE id = (SELECT max(run_id) FROM inputs WHERE key = ?)", (key,)
        ).fetchone()
        return _run(row) if row else None

    def latest(self) -> Iterator[tuple[Run, list[Version]]]:
        """Each run that is the latest of a version, oldest first, with all versions of which it is.

        One at a time, because all records of a long history would not fit into memory.
        """
        newest: dict[int, list[Version]] = {}
        for row in self._db.execute("SELECT key, etag, max(run_id) AS run_id FROM inputs GROUP BY key, etag"):
            newest.setdefault(row["run_id"], []).append((row["key"], row["etag"]))
        for row in self._db.execute("SELECT * FROM runs ORDER BY id"):
            if row["id"] in newest:
                yield _run(row), newest[row["id"]]

    def last_runs(self) -> Iterator[tuple[Version, Run, bool]]:
        """The latest run of each version in the order of the keys, one at a time, and whether it is `kept`."""
        each = self._db.execute("SELECT key, etag, max(run_id) FROM inputs GROUP BY key, etag ORDER BY key, etag")
        for key, etag, run_id in each:  # not one query: SQLite would sort all records first
            row = self._db.execute("SELECT * FROM runs WHERE id = ?", (run_id,)).fetchone()
            yield (key, etag), _run(row), self.is_kept(run_id)

    def tries(self, version: Version) -> int:
        """How many runs of a version have failed."""
        row = self._db.execute(
            "SELECT count(*) AS tries FROM inputs JOIN runs ON id = run_id WHERE key = ? AND etag = ? "
            "AND outcome IN ('failed', 'dead-lettered')",
            version,
        ).fetchone()
        return int(row["tries"])

    def is_kept(self, run_id: int) -> bool:
        """Whether all outputs of a run have been in the outputs folder."""
        return self._db.execute("SELECT 1 FROM kept WHERE run_id = ?", (run_id,)).fetchone() is not None

    def keep(self, run_ids: Iterable[int]) -> None:
        """Remember that all outputs of these runs have come into the outputs folder."""
        with self._transaction():
            self._db.executemany("INSERT OR IGNORE INTO kept VALUES (?)", [(run_id,) for run_id in run_ids])

    def last_id(self) -> int:
        """The id of the newest run; 0 when there is none."""
        return int(self._db.execute("SELECT coalesce(max(id), 0) AS id FROM runs").fetchone()["id"])

    def runs(self, after_id: int = 0, outcomes: Iterable[Outcome] = (), newest: int | None = None) -> list[Run]:
        """Runs in the order they ended, of all outcomes or the given ones, all of them or only the newest."""
        wanted = list(outcomes)
        marks = ", ".join("?" * len(wanted))
        only = f"AND outcome IN ({marks})" if wanted else ""
        rows = self._db.execute(
            f"SELECT * FROM runs WHERE id > ? {only} ORDER BY id DESC LIMIT ?",  # noqa: S608  question marks only
            (after_id, *wanted, -1 if newest is None else newest),
        ).fetchall()
        return [_run(row) for row in reversed(rows)]

    def close(self) -> None:
        """Close the file."""
        self._db.close()
