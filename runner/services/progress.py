"""How far long work has come, in words, and not too often: uploads, moved messages, a backlog of files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_EVERY_S = 2.0
# For somebody who waits for the stack: less happens then.
WAITING_S = 10.0
# Fewer waiting files than this are through before anybody has read of them.
_FEW = 10


class Ticker:
    """Tells that work goes on: not at once, and not too often."""

    def __init__(self, tell: Callable[[str], object], every_s: float = _EVERY_S) -> None:
        self._tell, self._every_s = tell, every_s
        self._next = time.monotonic() + every_s

    def tick(self, text: str) -> None:
        """Something was done; tell it if it is time."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._every_s
            self._tell(text)


class Progress:
    """Bytes that go through, counted from several threads."""

    def __init__(self, tell: Callable[[str], object], total: int, every_s: float = _EVERY_S) -> None:
        self._total, self._done = total, 0
        self._ticker, self._lock = Ticker(tell, every_s), threading.Lock()

    def more(self, count: int) -> None:
        """So many more bytes are through."""
        with self._lock:
            self._done += count
            percent = 100 * self._done // max(1, self._total)
            self._ticker.tick(f"{percent} % of {human_size(self._total)}")


def backlog(waiting: int, ended: int, seconds: float) -> str | None:
    """What to say of files that wait; None when it is not worth a word.

    Args:
        waiting: how many wait or run now.
        ended: how many runs have ended in the last `seconds`.
        seconds: since the last look.
    """
    if waiting < _FEW:
        return None
    if not ended:
        return f"{waiting} files wait"
    left_s = waiting * seconds / ended
    return f"{waiting} files wait, for about " + (f"{left_s:.0f} s" if left_s < 120 else f"{left_s / 60:.0f} min")


def human_size(size: int) -> str:
    """Bytes as people say them."""
    for unit, bytes_in_it in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= bytes_in_it:
            return f"{size / bytes_in_it:.1f} {unit}"
    return f"{size} bytes"
