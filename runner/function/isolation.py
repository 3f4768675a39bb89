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

from runner.function import lambda_limits, run_warnings
from runner.function.process_state import ProcessState
from runner.function.run_warnings import WarningCollector


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
        texts: receives what the body warned of, or logged as a warning.
    """
    before = ProcessState.now()
    collector, root = WarningCollector(), logging.getLogger()
    with TemporaryFolder(prefix="run-") as run_folder, warnings.catch_warnings():
        run_warnings.set_filters()
        warnings.showwarning = collector.show
        outer_folder, tempfile.tempdir = tempfile.tempdir, run_folder
        root.addHandler(collector)
        try:
            yield
        finally:
            tempfile.tempdir = outer_folder
            before.restore()
            texts += collector.texts
            if "matplotlib.pyplot" in sys.modules:
                sys.modules["matplotlib.pyplot"].close("all")
