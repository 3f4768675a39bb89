"""One mistake, as plain data: where it is, what is wrong, and how to fix it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, order=True)
class Problem:
    """A mistake in a file of the project. `file` is relative to the project; line and column count from 1."""

    file: str
    line: int
    column: int
    message: str
    """What is wrong, with the value, and what to do."""
    key: str = ""
    """The path of keys in the file, such as data_vars.wind.attrs.units."""
    severity: Severity = "error"
    pipeline: str = ""

    def __str__(self) -> str:
        """Format it as compilers do, so that editors and terminals recognize the place."""
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message}"


def did_you_mean(name: object, known: Iterable[object]) -> str:
    """Return a suggestion for a misspelt name, or the known names if none is near and they are few."""
    names = [str(one) for one in known]
    if near := difflib.get_close_matches(str(name), names, 1, cutoff=0.6):
        return f" Did you mean {near[0]!r}?"
    return f" Known: {', '.join(names)}." if 0 < len(names) <= 12 else ""
