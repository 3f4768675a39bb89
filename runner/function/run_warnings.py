"""Collects what a pipeline warns of, for the run record: each text once, the user's own first, and not too many."""

from __future__ import annotations

import logging
import re
import warnings
from typing import TextIO

_MOST = 20
_OWN_CODE = re.compile(r"/(?:pipelines|shared|utils)/")
# What no user can act on: it is said for every run, of every pipeline.
_NOISE = ("Could not get code_version from either", "Redefining '")


class WarningCollector(logging.Handler):
    """A handler of the root logger that also takes what the warnings module shows."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._own: dict[str, None] = {}
        self._others: dict[str, None] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Collect a log record's text."""
        self.add(record.getMessage(), record.pathname)

    def show(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        """Collect a warning; replaces `warnings.showwarning`."""
        self.add(str(message), filename)

    def add(self, text: str, file: str) -> None:
        """Collect a text that code in a file gave."""
        if not text.startswith(_NOISE):
            (self._own if _OWN_CODE.search(file) else self._others)[text] = None

    @property
    def texts(self) -> list[str]:
        """The texts, those of the user's code first, and a last line with the number of those left out."""
        found = [*self._own, *(text for text in self._others if text not in self._own)]
        left_out = len(found) - _MOST
        return found if left_out <= 0 else [*found[:_MOST], f"{left_out} more warnings are left out."]


def set_filters() -> None:
    """Show what Python shows by default, and the user's own deprecated calls. No warning becomes an error."""
    warnings.filters[:] = [item for item in warnings.filters if item[0] != "error"]  # type: ignore[index]
    for category in (DeprecationWarning, PendingDeprecationWarning):
        warnings.simplefilter("ignore", category)
    warnings.filterwarnings("default", module=r"(?:pipelines|shared|utils)\b")
