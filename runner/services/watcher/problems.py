"""What in the inbox cannot be taken: logged once, and recorded for as long as it is so."""

from __future__ import annotations

import logging

from runner.messages.object_keys import is_utf8, printable
from runner.state.inbox_problems import InboxProblems, Problem

log = logging.getLogger("watcher")


class Problems:
    """Used by the watcher's thread alone."""

    def __init__(self, table: InboxProblems) -> None:
        self._table, self._known, self._seen = table, table.all(), set[str]()
        self._logged: dict[str, str] = {}

    def found(self, key: str, problem: Problem) -> None:
        """Note a problem that is there now."""
        self._seen.add(key)
        if self._logged.get(key) != problem.reason:
            self._logged[key] = problem.reason
            log.warning("✗ %s: %s", printable(key), problem.reason)
        if self._known.get(key) != problem and is_utf8(key):  # others cannot be stored; each scan finds them
            self._known[key] = problem
            self._table.put(key, problem)

    def is_file(self, key: str) -> None:
        """Note that a key is a regular file now; whether it can be read, its upload shows."""
        if (known := self._known.get(key)) is None:
            return
        if known.is_refused:
            self.gone(key)
        else:
            self._seen.add(key)

    def gone(self, key: str) -> None:
        """Note that a key has no problem any more."""
        self._logged.pop(key, None)
        if self._known.pop(key, None):
            self._table.remove(key)

    def end_of_scan(self) -> None:
        """Forget what a look at every file did not find again."""
        for key in (self._known.keys() | self._logged.keys()) - self._seen:
            self.gone(key)
        self._seen.clear()
