"""What the watcher has uploaded, and what the files were like then."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from runner.state.database import database

_LEDGER = """
CREATE TABLE IF NOT EXISTS uploads (
    key TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, sha256 TEXT NOT NULL,
    etag TEXT NOT NULL, epoch TEXT NOT NULL, uploaded_at REAL NOT NULL, ctime_ns INTEGER NOT NULL DEFAULT 0);
"""
_CTIME = "ALTER TABLE uploads ADD COLUMN ctime_ns INTEGER NOT NULL DEFAULT 0"


@dataclass(frozen=True)
class Upload:
    """A file as it was when it was uploaded (see `Stamp`), and the `epoch` of the bucket it went to."""

    key: str
    size: int
    mtime_ns: int
    ctime_ns: int
    sha256: str
    etag: str
    epoch: str
    uploaded_at: float

    @property
    def stamp(self) -> Stamp:
        """What the file has to be for this upload to be of it."""
        return Stamp(self.size, self.mtime_ns, self.ctime_ns)


class Ledger:
    """What the watcher has uploaded."""

    def __init__(self, state: Path) -> None:
        self._db = database(state / "ledger.sqlite", _LEDGER)
        with suppress(sqlite3.OperationalError):  # it is there, but in a ledger of an earlier tsdat-local
            self._db.execute(_CTIME)

    def get(self, key: str) -> Upload | None:
        """The last upload of a key."""
        row = self._db.execute("SELECT * FROM uploads WHERE key = ?", (key,)).fetchone()
        return Upload(**row) if row else None

    def put(self, upload: Upload) -> None:
        """Remember an upload in the place of the key's earlier one."""
        self._db.execute(
            "INSERT OR REPLACE INTO uploads (key, size, mtime_ns, ctime_ns, sha256, etag, epoch, uploaded_at) "
            "VALUES (:key, :size, :mtime_ns, :ctime_ns, :sha256, :etag, :epoch, :uploaded_at)",
            vars(upload),
        )

    def last_at(self) -> float:
        """When the last upload was; 0 when there was none."""
        return float(self._db.execute("SELECT coalesce(max(uploaded_at), 0) AS at FROM uploads").fetchone()["at"])

    def uploads(self) -> Iterator[Upload]:
        """All last uploads in the order of their keys, one at a time."""
        return (Upload(**row) for row in self._db.execute("SELECT * FROM uploads ORDER BY key"))

    def close(self) -> None:
        """Close the file."""
        self._db.close()


class Stamp(NamedTuple):
    """What tells two states of a file apart: size in bytes, mtime and ctime in ns.

    Unpacking and copying give other content the mtime of the old, often in whole seconds; nobody can choose a ctime.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
