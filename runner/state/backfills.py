"""How far each backfill has come, so that the same request continues after a kill."""

from __future__ import annotations

import sqlite3


class Backfills:
    """The last key that was sent of each request that is not finished."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def last_key(self, request: str) -> str | None:
        """Return the last key that was sent; None for a new request."""
        row = self._db.execute("SELECT last_key FROM backfills WHERE request = ?", (request,)).fetchone()
        return row["last_key"] if row else None

    def record(self, request: str, last_key: str) -> None:
        """Record that everything up to a key was sent."""
        self._db.execute("INSERT OR REPLACE INTO backfills (request, last_key) VALUES (?, ?)", (request, last_key))

    def finish(self, request: str) -> None:
        """Remove a finished request: the next one like it starts from the beginning."""
        self._db.execute("DELETE FROM backfills WHERE request = ?", (request,))
