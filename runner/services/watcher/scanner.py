"""When to look through the inbox, and how much: little at a time, and rarely if it takes long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from runner.services.watcher.entries import Found
from runner.services.watcher.inbox import FolderTimes, Inbox

# So long it looks before it lets others act.
_SLICE_S = 0.02
# A look at every file may take this share of the time, and one at changed folders so much more.
_SHARE_OF_FULL = 0.01
_SHARE_OF_CHANGED = 0.04


class Scanner:
    """Finds what folder events miss.

    A look at the folders' mtimes finds new, renamed and replaced files; only a look at every file finds one that was
    changed in place. Each is repeated every `interval_s`, or less often if it would cost more than its share.
    """

    def __init__(self, inbox: Inbox, interval_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._inbox, self._interval_s, self._clock = inbox, interval_s, clock
        self._times: FolderTimes = {}
        self._running: Iterator[tuple[str, Found]] | None = None
        self._is_full, self._cost_s = True, 0.0
        self._full_at = self._changed_at = 0.0
        self.completed = 0
        """How many looks at every file are complete."""

    def restart(self) -> None:
        """Look at every file now."""
        self._running, self._full_at = None, 0.0

    def wait_s(self, now: float) -> float:
        """Return how long there is nothing to do."""
        return 0.0 if self._running else max(0.0, min(self._full_at, self._changed_at) - now)

    def look(self) -> Iterator[tuple[str, Found]]:
        """Return some files to check, for a fiftieth of a second at most."""
        began = self._clock()
        if self._running is None and not self._begin(began):
            return
        while self._running is not None and self._clock() - began < _SLICE_S:
            for _ in range(100):  # the clock costs as much as a file
                found = next(self._running, None)
                if found is None:
                    self._end(self._cost_s + self._clock() - began)
                    return
                yield found
        self._cost_s += self._clock() - began

    def _begin(self, now: float) -> bool:
        if now >= self._full_at:
            self._is_full, self._times = True, {}
            self._running = self._inbox.scan(times=self._times)
        elif now >= self._changed_at:
            self._is_full = False
            self._running = self._inbox.scan_changed(self._times)
        else:
            return False
        self._cost_s = 0.0
        return True

    def _end(self, cost_s: float) -> None:
        now, self._running = self._clock(), None
        self._changed_at = now + max(self._interval_s, cost_s / _SHARE_OF_CHANGED)
        if self._is_full:
            self._full_at = now + max(self._interval_s, cost_s / _SHARE_OF_FULL)
            self._changed_at = now + self._interval_s
            self.completed += 1
