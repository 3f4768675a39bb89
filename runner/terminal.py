"""Where text for people goes: results to standard output, what happens meanwhile to standard error."""

from __future__ import annotations

import sys

from rich.console import Console

# Into a file or a pipe tables are written wide, so that no name is broken.
_WIDTH = None if sys.stdout.isatty() else 200

results = Console(highlight=False, soft_wrap=True, width=_WIDTH)
progress = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """A line about what happens, as it is."""
    progress.print(text, markup=False)
