"""The events that the queue delivered to the local stack, kept to be listed, saved and replayed."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

log = logging.getLogger("events")

# Bounds of the table: some 10 MB of S3 notifications, and 640 MB in the worst case.
_MOST_EVENTS = 10_000
_LARGEST_CHARACTERS = 65_536


@dataclass(frozen=True)
class ReceivedEvent:
    """A message as the queue first delivered it; `body` is None if it was too large to keep."""

    id: int
    message_id: str
    received_at: float
    body: str | None


class ReceivedEvents:
    """The newest events."""

    def __init__(self, db: sqlite3.Connection, most_events: int = _MOST_EVENTS) -> None:
        self._db, self._most_events = db, most_events

    def add(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """Keep SQS messages, each once however often it is delivered. Log an error instead of raising it."""
        now = time.time()
        rows = [(m["MessageId"], now, m["Body"] if len(m["Body"]) <= _LARGEST_CHARACTERS else None) for m in messages]
        try:
            self._db.executemany(
                "INSERT OR IGNORE INTO received_events (message_id, received_at, body) VALUES (?, ?, ?)", rows
            )
            oldest = "DELETE FROM received_events WHERE id <= (SELECT max(id) FROM received_events) - ?"
            self._db.execute(oldest, (self._most_events,))
        except sqlite3.Error as error:  # a full disk must not stop the event source mapping
            log.warning("✗ an event is not kept for `runner events`: %s", error)

    def newest(self, count: int) -> list[ReceivedEvent]:
        """Return the latest events, oldest first."""
        rows = self._db.execute("SELECT * FROM received_events ORDER BY id DESC LIMIT ?", (count,)).fetchall()
        return [ReceivedEvent(*row) for row in reversed(rows)]

    def after(self, number: int, count: int) -> list[ReceivedEvent]:
        """Return the latest events with a higher number, newest first."""
        rows = self._db.execute(
            "SELECT * FROM received_events WHERE id > ? ORDER BY id DESC LIMIT ?", (number, count)
        ).fetchall()
        return [ReceivedEvent(*row) for row in rows]

    def of_message(self, message_id: str) -> ReceivedEvent | None:
        """Return the event of an SQS message, if it is still kept."""
        row = self._db.execute("SELECT * FROM received_events WHERE message_id = ?", (message_id,)).fetchone()
        return ReceivedEvent(*row) if row else None

    def get(self, number: int) -> ReceivedEvent | None:
        """Return one event."""
        row = self._db.execute("SELECT * FROM received_events WHERE id = ?", (number,)).fetchone()
        return ReceivedEvent(*row) if row else None
