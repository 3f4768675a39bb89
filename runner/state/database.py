"""The one SQLite file of a data folder, data/state/state.sqlite: uploads, runs, received events, backfills."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from runner.errors import SettingsError
from runner.state.backfills import Backfills
from runner.state.received_events import ReceivedEvents
from runner.state.runs import Runs
from runner.state.uploads import Uploads
from runner.state.versions import Versions

SCHEMA_VERSION = 1
_FILE = "state.sqlite"
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
    key TEXT NOT NULL, etag TEXT NOT NULL, change INTEGER NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL,
    failures INTEGER NOT NULL, pipeline TEXT, run_id INTEGER REFERENCES runs (id), PRIMARY KEY (key, etag)
    ) WITHOUT ROWID;
CREATE INDEX versions_by_change ON versions (change);
CREATE INDEX versions_by_outcome ON versions (outcome, change);
CREATE INDEX versions_by_pipeline ON versions (pipeline, change);

CREATE TABLE unaccounted (
    key TEXT NOT NULL, etag TEXT NOT NULL, problem TEXT NOT NULL, PRIMARY KEY (key, etag)) WITHOUT ROWID;

CREATE TABLE received_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, message_id TEXT NOT NULL UNIQUE, received_at REAL NOT NULL, body TEXT);

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
            self._db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
            self._db.row_factory = sqlite3.Row
            # Write-ahead logging lets readers read while a writer writes, and needs no fsync for each row.
            self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;")
            self._create()
        except (OSError, sqlite3.Error) as error:
            raise SettingsError(
                f"{path} cannot be used: {error}. Fix that, or choose another folder with --data."
            ) from error
        self.versions = Versions(self._db)
        self.uploads = Uploads(self._db)
        self.runs = Runs(self._db, self.versions)
        self.received_events = ReceivedEvents(self._db)
        self.backfills = Backfills(self._db)

    def _create(self) -> None:
        """Create the tables in a new file; refuse a file with other tables."""
        if self._version() == SCHEMA_VERSION:
            return
        self._db.execute("BEGIN IMMEDIATE")  # another process may be creating them
        try:
            version = self._version()
            has_tables = self._db.execute("SELECT 1 FROM sqlite_master").fetchone()
            if (version == 0 and not has_tables) and not any((self._folder / name).exists() for name in _OLDER_FILES):
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)
            elif version != SCHEMA_VERSION:
                raise SettingsError(
                    f"{self._folder} was written by another version of tsdat-local (schema {version}, not "
                    f"{SCHEMA_VERSION}). Stop its stack and remove {self._folder}; the inbox then runs again."
                )
        finally:
            self._db.execute("COMMIT")

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._db.close()
