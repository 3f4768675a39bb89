"""Reports the progress of long work at intervals: uploads, moved messages, a backlog of files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_EVERY_S = 2.0
# For a command that waits for the stack, where less happens.
WAITING_S = 10.0
# A shorter backlog is processed before a user has read about it.
_SHORTEST_BACKLOG = 10


class Ticker:
    """Reports that work continues, for the first time after one interval and then once per interval."""

    def __init__(self, report: Callable[[str], object], every_s: float = _EVERY_S) -> None:
        self._report, self._every_s = report, every_s
        self._next = time.monotonic() + every_s

    def tick(self, text: str) -> None:
        """Report the text if the interval has passed."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._every_s
            self._report(text)


class TransferProgress:
    """Counts transferred bytes and reports the percentage; safe to use from several threads."""

    def __init__(self, report: Callable[[str], object], total: int, every_s: float = _EVERY_S) -> None:
        self._total, self._done = total, 0
        self._ticker, self._lock = Ticker(report, every_s), threading.Lock()

    def add(self, count: int) -> None:
        """Count transferred bytes."""
        with self._lock:
            self._done += count
            percent = 100 * self._done // max(1, self._total)
            self._ticker.tick(f"{percent} % of {human_size(self._total)}")


def backlog(waiting: int, finished: int, seconds: float) -> str | None:
    """Describe a backlog of files; return None if it is too short to report.

    Args:
        waiting: how many files wait or are being processed.
        finished: how many runs have finished in the last `seconds`.
        seconds: length of the interval.
    """
    if waiting < _SHORTEST_BACKLOG:
        return None
    if not finished:
        return f"{waiting} files waiting"
    left_s = waiting * seconds / finished
    left = f"{left_s:.0f} s" if left_s < 120 else f"{left_s / 60:.0f} min"
    return f"{waiting} files waiting, about {left} left"


def human_size(size: int) -> str:
    """Return a size with a decimal unit, such as 2.1 GB."""
    for unit, bytes_in_it in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= bytes_in_it:
            return f"{size / bytes_in_it:.1f} {unit}"
    return f"{size} bytes"
