"""The inbox folder: which of its files become objects, and the state of each."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from runner.state.uploads import Stamp

# A folder's mtime that is younger than this may stay the same when another file is added.
_MTIME_GRAIN_NS = 2_000_000_000

FolderTimes = dict[str, int]
"""The mtime in ns that each folder had when it was read; 0 if that is too young to be trusted."""


@dataclass(frozen=True)
class Inbox:
    """A folder whose files are keys."""

    folder: Path
    ignored_names: tuple[str, ...]

    @cached_property
    def _ignored(self) -> re.Pattern[str]:
        return re.compile("|".join(map(fnmatch.translate, self.ignored_names)) or r"(?!)")

    def key(self, path: str | Path) -> str | None:
        """Return the S3 key of a file, its path below the inbox; None if its name or a folder's is ignored."""
        parts = Path(path).relative_to(self.folder).parts
        return None if any(map(self._ignored.match, parts)) else "/".join(parts)

    def path(self, key: str) -> Path:
        """Return the file of a key."""
        return self.folder / key

    def stamp(self, key: str) -> Stamp | None:
        """Return the present state of a regular file; None if there is none."""
        try:
            return _stamp_of(os.stat(f"{self.folder}/{key}"))  # noqa: PTH116  called for each of many files
        except OSError:
            return None

    def quiet_s(self, stamp: Stamp) -> float:
        """Return how long a file has not changed, by the file system's clock; 0 if that is in doubt."""
        return max(0.0, time.time() - max(stamp.mtime_ns, stamp.ctime_ns) / 1e9)

    def scan(self, below: Path | None = None, times: FolderTimes | None = None) -> Iterator[tuple[str, Stamp | None]]:
        """Return key and state of each file below the inbox or one of its folders, in the order in which S3 lists keys.

        The state is None for what is not a regular file.

        Args:
            times: filled with the time of each folder.
        """
        top = str(below or self.folder)
        length, nothing = len(str(self.folder)) + 1, ("", None)
        unread = [iter(self._entries(top, times))]
        while unread:
            name, entry = next(unread[-1], nothing)
            if entry is None:
                unread.pop()
            elif not name.endswith("/"):
                yield entry.path[length:], _state(entry)
            elif not entry.is_symlink():  # a link could lead round in a circle
                unread.append(iter(self._entries(entry.path, times)))

    def scan_changed(self, times: FolderTimes) -> Iterator[tuple[str, Stamp | None]]:
        """Return the files of folders to which something was added, renamed or removed since `times`, and update it."""
        for folder, known_ns in list(times.items()):
            try:
                mtime_ns = os.stat(folder).st_mtime_ns  # noqa: PTH116
            except OSError:
                del times[folder]
                continue
            if mtime_ns == known_ns:
                continue
            for name, entry in self._entries(folder, times):
                if not name.endswith("/"):
                    yield entry.path[len(str(self.folder)) + 1 :], _state(entry)
                elif entry.path not in times and not entry.is_symlink():
                    yield from self.scan(Path(entry.path), times)

    def _entries(self, folder: str, times: FolderTimes | None) -> list[tuple[str, os.DirEntry[str]]]:
        """Return what is in a folder and not ignored, sorted as keys are; nothing if it is gone.

        Each comes with its name; the names of folders end with a slash.
        """
        try:
            if times is not None:
                mtime_ns = os.stat(folder).st_mtime_ns  # noqa: PTH116  before it is read: what comes later counts later
                times[folder] = mtime_ns if time.time_ns() - mtime_ns > _MTIME_GRAIN_NS else 0
            with os.scandir(folder) as entries:
                is_ignored = self._ignored.match
                return sorted(
                    (f"{entry.name}/" if _is_folder(entry) else entry.name, entry)
                    for entry in entries
                    if not is_ignored(entry.name)
                )
        except OSError:
            return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, for example
        return False


def _state(entry: os.DirEntry[str]) -> Stamp | None:
    try:
        return _stamp_of(entry.stat())
    except OSError:
        return None


def _stamp_of(status: os.stat_result) -> Stamp | None:
    if not stat.S_ISREG(status.st_mode):
        return None
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns)
