"""What the watcher cannot take from the inbox, and why: a table that the commands and the page show."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """Why something in the inbox is not taken."""

    reason: str
    is_refused: bool = True
    """False if it is taken as soon as it can be read."""


class InboxProblems:
    """The problems that the watcher sees now, by key; the key of a folder that cannot be listed ends with a slash."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def all(self) -> dict[str, Problem]:
        """Return all problems in the order of their keys."""
        rows = self._db.execute("SELECT key, reason, is_refused FROM inbox_problems ORDER BY key")
        return {row["key"]: Problem(row["reason"], bool(row["is_refused"])) for row in rows}

    def put(self, key: str, problem: Problem) -> None:
        """Record a problem in place of the key's earlier one."""
        self._db.execute(
            "INSERT OR REPLACE INTO inbox_problems (key, reason, is_refused) VALUES (?, ?, ?)",
            (key, problem.reason, problem.is_refused),
        )

    def remove(self, key: str) -> None:
        """Forget the problem of a key."""
        self._db.execute("DELETE FROM inbox_problems WHERE key = ?", (key,))
