"""The inbox folder: which of its files become objects, and the state of each."""

from __future__ import annotations

import fnmatch
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from runner.services.watcher.entries import Found, found_in, is_folder, stamp_of, unlistable
from runner.state.inbox_problems import Problem
from runner.state.uploads import Stamp

# A folder's mtime that is younger than this may stay the same when another file is added.
_MTIME_GRAIN_NS = 2_000_000_000
_LOOP = Problem("it is a link to a folder that contains it. Remove the link.")

FolderTimes = dict[str, int]
"""The mtime in ns that each folder had when it was read; 0 if that is too young to be trusted."""
Entry = tuple[str, "os.DirEntry[str] | Problem"]


@dataclass(frozen=True)
class Inbox:
    """A folder whose files are keys. A link is what it leads to, under the link's name."""

    folder: Path
    ignored_names: tuple[str, ...]
    on_folder: Callable[[str, int], object] = lambda folder, device: None
    """Called with path and device of each folder just before a scan reads it."""

    @cached_property
    def _ignored(self) -> re.Pattern[str]:
        return re.compile("|".join(map(fnmatch.translate, self.ignored_names)) or r"(?!)", re.IGNORECASE)

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
            return stamp_of(os.stat(f"{self.folder}/{key}"))  # noqa: PTH116  called for each of many files
        except OSError:
            return None

    def has(self, key: str) -> bool:
        """Return whether there is anything under a key, be it a link that leads nowhere."""
        return os.path.lexists(f"{self.folder}/{key}")

    def quiet_s(self, stamp: Stamp) -> float:
        """Return how long a file has not changed, by the file system's clock; 0 if that is in doubt."""
        return max(0.0, time.time() - max(stamp.mtime_ns, stamp.ctime_ns) / 1e9)

    def scan(self, below: Path | None = None, times: FolderTimes | None = None) -> Iterator[tuple[str, Found]]:
        """Return key and state of each file below the inbox or one of its folders, in the order in which S3 lists keys.

        A folder that cannot be listed has its problem under its name with a slash.

        Args:
            times: filled with the time of each folder.
        """
        top, length, nothing = str(below or self.folder), len(str(self.folder)) + 1, ("", None)
        ids = _ids_above(str(self.folder), top)
        unread = [self._entries(top, times, ids)]
        while unread:
            name, entry = next(unread[-1], nothing)
            if entry is None:
                unread.pop()
                del ids[-1:]
            elif isinstance(entry, Problem):
                yield name[length:] or "./", entry
            elif name.endswith("/"):
                unread.append(self._entries(entry.path, times, ids))
            elif found := found_in(entry):
                yield entry.path[length:], found

    def scan_changed(self, times: FolderTimes) -> Iterator[tuple[str, Found]]:
        """Return the files of folders to which something was added, renamed or removed since `times`, and update it."""
        length = len(str(self.folder)) + 1
        times.setdefault(str(self.folder), 0)  # it was removed, and may be there again
        for folder, known_ns in list(times.items()):
            try:
                mtime_ns = os.stat(folder).st_mtime_ns  # noqa: PTH116
            except OSError:
                del times[folder]
                continue
            if mtime_ns == known_ns:
                continue
            for name, entry in self._entries(folder, times, _ids_above(str(self.folder), folder)):
                if isinstance(entry, Problem):
                    yield name[length:] or "./", entry
                elif not name.endswith("/"):
                    if found := found_in(entry):
                        yield entry.path[length:], found
                elif entry.path not in times:
                    yield from self.scan(Path(entry.path), times)

    def _entries(self, folder: str, times: FolderTimes | None, ids: list[tuple[int, int]]) -> Iterator[Entry]:
        """Return what is in a folder and not ignored, sorted as keys are; nothing if it is gone.

        Each comes with its name; the names of folders end with a slash. A problem comes with the folder's path.

        Args:
            ids: device and inode of each folder above it, to which its own are added.
        """
        try:
            status = os.stat(folder)  # noqa: PTH116  before it is read: what comes later counts later
            identity = (status.st_dev, status.st_ino)
            if identity in ids:
                ids.append(identity)
                return iter([(folder, _LOOP)])
            ids.append(identity)
            self.on_folder(folder, status.st_dev)
            if times is not None:
                times[folder] = status.st_mtime_ns if time.time_ns() - status.st_mtime_ns > _MTIME_GRAIN_NS else 0
            with os.scandir(folder) as entries:
                is_ignored = self._ignored.match
                return iter(sorted(
                    (f"{entry.name}/" if is_folder(entry) else entry.name, entry)
                    for entry in entries
                    if not is_ignored(entry.name)
                ))  # fmt: skip
        except OSError as error:
            problem = unlistable(error)
            return iter([(f"{folder}/", problem)] if problem else [])


def _ids_above(top: str, folder: str) -> list[tuple[int, int]]:
    """Return device and inode of each folder from `top` down to the parent of a folder below it."""
    found = []
    while len(folder) > len(top):
        folder = os.path.dirname(folder)  # noqa: PTH120
        try:
            status = os.stat(folder)  # noqa: PTH116
        except OSError:
            return []  # it is gone meanwhile
        found.append((status.st_dev, status.st_ino))
    return found[::-1]
