"""Keeps one pipeline run from leaving anything behind for the next one in the same process."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator

_MOST_WARNINGS = 20


class _Collector(logging.Handler):
    """Copies warnings and errors that pipelines log into the run record."""

    def __init__(self, texts: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.texts = texts

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what was logged."""
        self.keep(record.getMessage())

    def keep(self, text: str) -> None:
        """Keep the first of each text."""
        if text not in self.texts and len(self.texts) < _MOST_WARNINGS:
            self.texts.append(text)


@contextlib.contextmanager
def contained(texts: list[str]) -> Iterator[None]:
    """Run the body with a temporary folder, warnings, logging, matplotlib and environment of its own.

    Args:
        texts: what the body warns of, by `warnings` or by logging, is appended here once each.
    """
    root = logging.getLogger()
    handlers, level, environment, folder = root.handlers[:], root.level, dict(os.environ), os.getcwd()  # noqa: PTH109
    collector = _Collector(texts)
    with tempfile.TemporaryDirectory(prefix="run-") as tempfile_dir, warnings.catch_warnings(), _matplotlib():
        warnings.simplefilter("default")
        warnings.showwarning = lambda message, *_: collector.keep(str(message))
        outer, tempfile.tempdir = tempfile.tempdir, tempfile_dir
        root.addHandler(collector)
        try:
            yield
        finally:
            tempfile.tempdir = outer
            root.handlers[:] = handlers
            root.setLevel(level)
            os.chdir(folder)
            if dict(os.environ) != environment:
                os.environ.clear()
                os.environ.update(environment)


@contextlib.contextmanager
def _matplotlib() -> Iterator[None]:
    """Give back the style settings and close the figures, also when a pipeline is the first to import matplotlib."""
    matplotlib = sys.modules.get("matplotlib")
    with matplotlib.rc_context() if matplotlib else contextlib.nullcontext():
        try:
            yield
        finally:
            if "matplotlib.pyplot" in sys.modules:
                sys.modules["matplotlib.pyplot"].close("all")
