"""The inbox folder: which files in it are meant to be taken, what has happened in it, and what is in it now."""

from __future__ import annotations

import fnmatch
import os
import queue
import stat
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from watchdog.events import DirCreatedEvent, DirMovedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from runner.state.uploads import Stamp

Happening = Literal["changed", "closed", "arrived", "folder", "wake"]


@dataclass(frozen=True)
class Inbox:
    """A folder whose files are keys."""

    folder: Path
    ignored_names: tuple[str, ...]

    def key(self, path: str | Path) -> str | None:
        """The S3 key of a file, its path below the inbox; None when it is not meant to be taken."""
        parts = Path(path).relative_to(self.folder).parts
        if any(fnmatch.fnmatchcase(part, pattern) for part in parts for pattern in self.ignored_names):
            return None
        return "/".join(parts)

    def path(self, key: str) -> Path:
        """The file of a key."""
        return self.folder / key

    def stamp(self, key: str) -> Stamp | None:
        """The present state of a regular file, or None when there is none."""
        try:
            status = self.path(key).stat()
        except OSError:
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def quiet_s(self, key: str) -> float:
        """How long a file has not been changed, by the file system's clock; 0 when that is in doubt."""
        try:
            status = self.path(key).stat()
        except OSError:
            return 0.0
        return max(0.0, time.time() - max(status.st_mtime, status.st_ctime))

    def scan(self, below: Path | None = None) -> Iterator[str]:
        """The keys of all files that are meant to be taken, in the whole inbox or below one of its folders.

        They come in their own order, in which S3 lists objects, too.
        """
        top = below or self.folder
        unread = [(top, iter(_names(top)))]
        while unread:
            folder, names = unread[-1]
            name = next(names, None)
            if name is None:
                unread.pop()
                continue
            path = folder / name
            key = self.key(path)
            if key and not name.endswith("/"):
                yield key
            elif key and not path.is_symlink():  # a link could lead round in a circle
                unread.append((path, iter(_names(path))))


def _names(folder: Path) -> list[str]:
    """What is in a folder, a slash after the names of folders, so that it sorts as keys do; nothing if it is gone."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name + "/" * _is_folder(entry) for entry in entries)
    except OSError:
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, say
        return False


class FolderEvents(FileSystemEventHandler):
    """Puts what the system tells of a folder into a queue: a hint, quick but not to be relied on."""

    def __init__(self, happenings: queue.SimpleQueue[tuple[Happening, str]]) -> None:
        self._happenings = happenings

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Sort an event into what it means for a file that may be taken."""
        if event.is_directory:
            if isinstance(event, DirCreatedEvent | DirMovedEvent):
                self._happenings.put(("folder", str(event.dest_path or event.src_path)))
        elif event.event_type == "moved":
            self._happenings.put(("arrived", str(event.dest_path)))
        elif event.event_type in ("created", "modified"):
            self._happenings.put(("changed", str(event.src_path)))
        elif event.event_type == "closed":
            self._happenings.put(("closed", str(event.src_path)))

    def observe(self, folder: Path) -> BaseObserver:
        """Begin to listen to a folder and all below it."""
        # When nested folders are made at once, watchdog notes the inner one twice and warns; nothing comes of it.
        warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)
        observer = Observer()
        observer.schedule(self, str(folder), recursive=True)
        observer.start()
        return observer
