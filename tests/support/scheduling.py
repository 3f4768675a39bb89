"""Which tests one of several workers (`-n 2`) runs together, and in which order."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

_NAMED = re.compile(r"\b(embedded|docker)_stack\b|param\}_stack\b")
_TAKEN = re.compile(r"def test_\w+\([^)]*\b(stack|drop|invoke)\b")
# What takes longest begins, and many short tests fill the end, so that all workers end together.
_ORDER = ["session", "tests/faults", "sam", "tests/e2e", ""]


@cache
def scope(file: str) -> str:
    """What goes to one worker, because it shares costly fixtures or SAM's build folder."""
    text, folder = Path(file).read_text(), file.rpartition("/")[0]
    if folder == "tests/rehearsal" or file.endswith("test_sam_local.py"):
        return "sam"
    if _NAMED.search(text) or (_TAKEN.search(text) and "def stack(" not in text):
        return "session"  # its stacks
    return folder if folder == "tests/faults" else file


def place(file: str) -> int:
    """Where a file's tests come."""
    return next(at for at, start in enumerate(_ORDER) if scope(file).startswith(start))


class Together(LoadScopeScheduling):
    """Scopes in the order in which their tests were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return scope(nodeid.split("::")[0])
