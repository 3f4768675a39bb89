"""What the watcher uploaded, and the state of each file at that time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Stamp(NamedTuple):
    """What distinguishes two states of a file: size in bytes, mtime and ctime in ns.

    Unpacking and copying give corrected content the old mtime, often in whole seconds. No program can set a ctime.
    """

    size: int
    mtime_ns: int
    ctime_ns: int


class Upload(NamedTuple):
    """A file at the time of its upload, and the epoch of the bucket that it went to."""

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
        """The state of the file that was uploaded."""
        return Stamp(*self[1:4])


class Uploads:
    """The last upload of each key."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def get(self, key: str) -> Upload | None:
        """Return the last upload of a key."""
        row = self._db.execute("SELECT * FROM uploads WHERE key = ?", (key,)).fetchone()
        return Upload(*row) if row else None

    def each(self) -> Iterator[Upload]:
        """Return all last uploads in the order of their keys, one at a time."""
        return (Upload(*row) for row in self._db.execute("SELECT * FROM uploads ORDER BY key"))

    def settled(self, epoch: str, final: Iterable[str]) -> Iterator[tuple[str, Stamp]]:
        """Return key and state of each upload to a bucket, and of those to others with only some outcomes."""
        outcomes = list(final)
        rows = self._db.execute(
            "SELECT * FROM uploads u WHERE epoch = ? OR (SELECT min(outcome IN "  # noqa: S608  question marks only
            f"({', '.join('?' * len(outcomes))})) FROM versions v WHERE v.key = u.key AND v.etag = u.etag)",
            (epoch, *outcomes),
        )
        return ((row["key"], Upload(*row).stamp) for row in rows)

    def put(self, upload: Upload) -> None:
        """Record an upload in place of the key's earlier one."""
        self._db.execute("INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?, ?)", upload)
