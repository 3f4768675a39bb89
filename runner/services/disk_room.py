"""Room on the disks that a stack writes to: what has none waits, instead of failing for good."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
from pathlib import Path

from runner.services.progress import human_size

# Enough for a run's own files to be written and recorded.
LEAST_BYTES = 16 * 1024 * 1024
_FULL = (errno.ENOSPC, errno.EDQUOT)
_SQLITE_IOERR, _SQLITE_FULL = 10, 13


def is_full(error: BaseException) -> bool:
    """Return whether an error says that a disk is full or a quota is used up."""
    if isinstance(error, sqlite3.OperationalError):
        return error.sqlite_errorcode & 0xFF in (_SQLITE_FULL, _SQLITE_IOERR)
    return isinstance(error, OSError) and error.errno in _FULL


class DiskRoom:
    """Reports once which disk is full and how much is needed, and once that there is room again."""

    def __init__(self, log: logging.Logger, what_waits: str, *folders: Path) -> None:
        self._log, self._what_waits, self._folders = log, what_waits, folders
        self._full: set[tuple[Path, int]] = set()

    def has(self, needed_bytes: int = LEAST_BYTES, why: str = "") -> bool:
        """Return whether each disk has room."""
        found = [self.has_on(folder, needed_bytes, why) for folder in self._folders]  # each full one is reported
        return all(found)

    def has_on(self, folder: Path, needed_bytes: int = LEAST_BYTES, why: str = "") -> bool:
        """Return whether the disk of a folder has room; report if it has none.

        Args:
            needed_bytes: how much.
            why: what it is needed for, in parentheses, with a space before.
        """
        free_bytes = _free(folder)
        if free_bytes >= needed_bytes:
            if (folder, needed_bytes) in self._full:
                self._full.remove((folder, needed_bytes))
                self._log.info("the disk of %s has room again: work goes on", folder)
            return True
        self.report(folder, needed_bytes, why)
        return False

    def report(self, folder: Path, needed_bytes: int = LEAST_BYTES, why: str = "") -> None:
        """Log that the disk of a folder is full, unless the last report says so."""
        if (folder, needed_bytes) not in self._full:
            self._full.add((folder, needed_bytes))
            self._log.warning(
                "✗ the disk of %s is full: %s are free, and %s are needed%s. Delete something there; until then %s.",
                folder, human_size(_free(folder)), human_size(needed_bytes), why, self._what_waits,
            )  # fmt: skip


def _free(folder: Path) -> int:
    try:
        status = os.statvfs(folder)
    except OSError:  # it is not there yet: nothing is known
        return 1 << 62
    return status.f_bavail * status.f_frsize
