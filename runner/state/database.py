"""The one SQLite file of a data folder, data/state/state.sqlite: uploads, runs, received events, backfills."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.errors import SettingsError
from runner.state.backfills import Backfills
from runner.state.file_list import FileList
from runner.state.inbox_problems import InboxProblems
from runner.state.received_events import ReceivedEvents
from runner.state.runs import Runs
from runner.state.transaction import transaction
from runner.state.uploads import Uploads
from runner.state.versions import Versions

SCHEMA_VERSION = 3
_FILE = "state.sqlite"
# Other processes hold the file for milliseconds.
_PATIENCE_S = 10.0
# Files of earlier layouts, which had no version.
_OLDER_FILES = ("ledger.sqlite", "history.sqlite", "events.sqlite")

_SCHEMA = f"""
CREATE TABLE uploads (
    key TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL, etag TEXT NOT NULL, epoch TEXT NOT NULL, uploaded_at REAL NOT NULL) WITHOUT ROWID;

CREATE TABLE runs (
    id INTEGER PRIMARY KEY, ended_at REAL NOT NULL, outcome TEXT NOT NULL, attempt INTEGER NOT NULL,
    message_id TEXT, pipeline TEXT, subject TEXT NOT NULL, record TEXT NOT NULL);
CREATE INDEX runs_by_outcome ON runs (outcome, id);
CREATE INDEX runs_by_pipeline ON runs (pipeline, id);
CREATE INDEX runs_by_message ON runs (message_id);

CREATE TABLE versions (
    key TEXT NOT NULL, etag TEXT NOT NULL, config TEXT NOT NULL, arrival INTEGER NOT NULL, change INTEGER NOT NULL,
    outcome TEXT NOT NULL, reason TEXT NOT NULL, failures INTEGER NOT NULL, pipeline TEXT,
    run_id INTEGER REFERENCES runs (id), PRIMARY KEY (key, etag, config)) WITHOUT ROWID;
CREATE INDEX versions_by_change ON versions (change);
CREATE INDEX versions_by_outcome ON versions (outcome, change);
CREATE INDEX versions_by_pipeline ON versions (pipeline, change);

CREATE TABLE unaccounted (
    key TEXT NOT NULL, etag TEXT NOT NULL, config TEXT NOT NULL, problem TEXT NOT NULL,
    PRIMARY KEY (key, etag, config)) WITHOUT ROWID;

CREATE TABLE received_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, message_id TEXT NOT NULL UNIQUE, received_at REAL NOT NULL, body TEXT);

CREATE TABLE inbox_problems (key TEXT PRIMARY KEY, reason TEXT NOT NULL, is_refused INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE backfills (request TEXT PRIMARY KEY, last_key TEXT NOT NULL) WITHOUT ROWID;

PRAGMA user_version = {SCHEMA_VERSION};
"""


class State:
    """What is known about a data folder.

    Each thread opens its own: SQLite lets many read while one writes, but a connection has one transaction at a time.

    Raises:
        SettingsError: the folder cannot be used, the file is damaged, or another version of tsdat-local wrote it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        path = folder / _FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # Autocommit; one thread at a time uses a connection, but not always the one that opened it.
            self._db = sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from error
        try:
            self._db.row_factory = sqlite3.Row
            self._use_write_ahead_log()
            self._create()
        except SettingsError:
            self.close()
            raise
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise _unusable(path, error) from error
        self.versions = Versions(self._db)
        self.uploads = Uploads(self._db)
        self.runs = Runs(self._db, self.versions)
        self.received_events = ReceivedEvents(self._db)
        self.backfills = Backfills(self._db)
        self.files = FileList(self._db)
        self.inbox_problems = InboxProblems(self._db)

    def _use_write_ahead_log(self) -> None:
        """Let readers read while a writer writes, and commit without an fsync."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self._db.execute("PRAGMA journal_mode=WAL")
                break
            except sqlite3.OperationalError:  # for this statement SQLite does not wait for other processes
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        self._db.execute("PRAGMA synchronous=NORMAL")

    def _create(self) -> None:
        """Create the tables in a new file; refuse a file with other tables."""
        if self._version() == SCHEMA_VERSION:
            return
        with transaction(self._db):  # another process may be creating them
            version = self._version()
            is_new = version == 0 and not self._db.execute("SELECT 1 FROM sqlite_master").fetchone()
            if is_new and not any((self._folder / name).exists() for name in _OLDER_FILES):
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)
            elif version != SCHEMA_VERSION:
                raise SettingsError(
                    f"{self._folder} was written by another version of tsdat-local (schema {version}, not "
                    f"{SCHEMA_VERSION}). Stop its stack and remove {self._folder}; the inbox then runs again."
                )

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the body in one transaction; keep it short, because other processes wait for it."""
        with transaction(self._db):
            yield

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _unusable(path: Path, error: Exception) -> SettingsError:
    return SettingsError(f"{path} cannot be used: {error}. Fix that, or choose another folder with --data.")
