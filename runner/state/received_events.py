"""The events that the queue gave to the local stack, kept so that they can be shown, saved and sent again."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.state.database import database

log = logging.getLogger("events")

_TABLE = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, message_id TEXT NOT NULL UNIQUE, seen_at REAL NOT NULL, body TEXT);
"""
# Bounds of the file: some 10 MB of what S3 sends, and 640 MB at the very most.
_MOST_EVENTS = 10_000
_LARGEST_CHARACTERS = 65_536


@dataclass(frozen=True)
class Event:
    """A message as the queue gave it out first; `body` is None when it was too large to keep."""

    id: int
    message_id: str
    seen_at: float
    body: str | None


class Seen:
    """Written by the poller, a file of its own beside the history."""

    def __init__(self, state: Path, most_events: int = _MOST_EVENTS) -> None:
        self._most_events = most_events
        self._db = database(state / "events.sqlite", _TABLE)

    def note(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """Keep messages of SQS, each once however often it is given out. A full disk must not stop the poller."""
        now = time.time()
        rows = [(m["MessageId"], now, m["Body"] if len(m["Body"]) <= _LARGEST_CHARACTERS else None) for m in messages]
        try:
            self._db.executemany("INSERT OR IGNORE INTO events (message_id, seen_at, body) VALUES (?, ?, ?)", rows)
            oldest = "DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?"
            self._db.execute(oldest, (self._most_events,))
        except sqlite3.Error as error:
            log.warning("✗ an event is not kept for `runner events`: %s", error)

    def newest(self, count: int) -> list[Event]:
        """The latest events, oldest first."""
        rows = self._db.execute("SELECT * FROM events ORDER BY id DESC LIMIT ?", (count,)).fetchall()
        return [Event(*row) for row in reversed(rows)]

    def get(self, number: int) -> Event | None:
        """One event."""
        row = self._db.execute("SELECT * FROM events WHERE id = ?", (number,)).fetchone()
        return Event(*row) if row else None

    def close(self) -> None:
        """Close the file."""
        self._db.close()
