"""Isolates pipeline runs in one process from each other: a run leaves nothing behind for the next one."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from types import TracebackType

from runner.function import lambda_limits

_MAX_WARNINGS = 20


class _WarningCollector(logging.Handler):
    """Collects the warnings and errors that a pipeline logs, for the run record."""

    def __init__(self, texts: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.texts = texts

    def emit(self, record: logging.LogRecord) -> None:
        """Collect a log record's text."""
        self.add(record.getMessage())

    def add(self, text: str) -> None:
        """Collect a text, unless it is known or there are enough."""
        if text not in self.texts and len(self.texts) < _MAX_WARNINGS:
            self.texts.append(text)


class TemporaryFolder(tempfile.TemporaryDirectory[str]):
    """A temporary folder that notes with an exception which Lambda limit was reached, before it removes its files.

    Later nobody could see that /tmp was full: NetCDF reports no more than "HDF error".
    """

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        """Note the limit, then remove the folder."""
        if isinstance(value, Exception):
            tmp = tempfile.gettempdir()
            memory_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "?")
            lambda_limits.add_note(value, lambda_limits.reached(value, tmp, shutil.disk_usage(tmp).free, memory_mb))
        super().__exit__(kind, value, at)


@contextlib.contextmanager
def isolated(texts: list[str]) -> Iterator[None]:
    """Run the body with its own temporary folder, warnings, logging, matplotlib state and environment.

    Args:
        texts: receives each different text that the body warns of or logs as a warning, once.
    """
    root = logging.getLogger()
    handlers, level, environment, folder = root.handlers[:], root.level, dict(os.environ), os.getcwd()  # noqa: PTH109
    collector = _WarningCollector(texts)
    with TemporaryFolder(prefix="run-") as run_folder, warnings.catch_warnings(), _matplotlib():
        warnings.simplefilter("default")
        warnings.showwarning = lambda message, *_: collector.add(str(message))
        outer_folder, tempfile.tempdir = tempfile.tempdir, run_folder
        root.addHandler(collector)
        try:
            yield
        finally:
            tempfile.tempdir = outer_folder
            root.handlers[:] = handlers
            root.setLevel(level)
            os.chdir(folder)
            if dict(os.environ) != environment:
                os.environ.clear()
                os.environ.update(environment)


@contextlib.contextmanager
def _matplotlib() -> Iterator[None]:
    """Restore the style settings and close all figures, even if the body is the first to import matplotlib."""
    matplotlib = sys.modules.get("matplotlib")
    with matplotlib.rc_context() if matplotlib else contextlib.nullcontext():
        try:
            yield
        finally:
            if "matplotlib.pyplot" in sys.modules:
                sys.modules["matplotlib.pyplot"].close("all")
