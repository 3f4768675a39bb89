"""Keeps one pipeline run from leaving anything behind for the next one in the same process."""

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


class Folder(tempfile.TemporaryDirectory[str]):
    """A temporary folder that keeps with a passing exception what limit it met, which nobody sees once it is empty."""

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        """Look, then remove the folder."""
        if isinstance(value, Exception):
            tmp = tempfile.gettempdir()
            disk = shutil.disk_usage(tmp)
            memory_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "?")
            lambda_limits.note(value, lambda_limits.reached(value, tmp, disk.free, memory_mb))
        super().__exit__(kind, value, at)


@contextlib.contextmanager
def contained(texts: list[str]) -> Iterator[None]:
    """Run the body with a temporary folder, warnings, logging, matplotlib and environment of its own.

    Args:
        texts: what the body warns of, by `warnings` or by logging, is appended here once each.
    """
    root = logging.getLogger()
    handlers, level, environment, folder = root.handlers[:], root.level, dict(os.environ), os.getcwd()  # noqa: PTH109
    collector = _Collector(texts)
    with Folder(prefix="run-") as tempfile_dir, warnings.catch_warnings(), _matplotlib():
        warnings.simplefilter("default")
        warnings.showwarning = lambda message, *_: collector.keep(str(message))
        outer, tempfile.tempdir = tempfile.tempdir, tempfile_dir
        # tsdat writes a dataset in a folder that is gone before its exception comes here.
        plain, tempfile.TemporaryDirectory = tempfile.TemporaryDirectory, Folder  # type: ignore[misc,assignment]
        root.addHandler(collector)
        try:
            yield
        finally:
            tempfile.tempdir = outer
            tempfile.TemporaryDirectory = plain  # type: ignore[misc]
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
