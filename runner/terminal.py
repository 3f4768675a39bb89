"""Where text for people goes: results to standard output, what happens meanwhile to standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from rich.console import Console

# Into a file or a pipe tables are written wide, so that no name is broken.
_WIDTH = None if sys.stdout.isatty() else 200

results = Console(highlight=False, soft_wrap=True, width=_WIDTH)
progress = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """A line about what happens, as it is."""
    progress.print(text, markup=False)


class Ticker:
    """Tells how long work goes on: not at once, and not too often."""

    def __init__(self, tell: Callable[[str], None], every_s: float = 2.0) -> None:
        self._tell, self._every_s = tell, every_s
        self._next = time.monotonic() + every_s

    def tick(self, text: str) -> None:
        """Something was done; tell it if it is time."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._every_s
            self._tell(text)
