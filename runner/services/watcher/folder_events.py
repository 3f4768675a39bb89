"""What the kernel reports about folders (inotify(7)): quick, but not to be relied on."""

from __future__ import annotations

import errno
import logging
import os
import queue
import threading
import time
from typing import Literal

from inotify_simple import INotify, flags

from runner.services.watcher import mounts

log = logging.getLogger("watcher")

EventKind = Literal["changed", "closed", "moved in", "folder", "overflow", "wake"]
"""`wake` is the watcher's own: an upload is complete."""

_MASK = flags.CREATE | flags.MODIFY | flags.ATTRIB | flags.CLOSE_WRITE | flags.MOVED_TO | flags.ONLYDIR
_RETRY_S = 30.0
_READ_AGAIN_MS = 500
_RAISE = {
    errno.EMFILE: "No inotify instance is left. Raise fs.inotify.max_user_instances",
    errno.ENOSPC: "No inotify watch is left. Raise fs.inotify.max_user_watches",
}


class FolderEvents:
    """Puts the events of files and new folders into a queue. Without a free instance or watch, scans find all files."""

    def __init__(self, events: queue.SimpleQueue[tuple[EventKind, str]]) -> None:
        self._events = events
        self._paths: dict[int, frozenset[str]] = {}
        """The folders of each watch descriptor; several if links lead to the same one."""
        self._inotify: INotify | None = None
        self._refused, self._retry_at = "", 0.0
        self._polled: set[str] = set()
        self._stop = threading.Event()

    def watch(self, folder: str, device: int) -> None:
        """Report what happens in a folder from now on; one that is watched already may be named again.

        Args:
            folder: its path, to which the names of its files are added.
            device: its `st_dev`.
        """
        if self._stop.is_set() or time.monotonic() < self._retry_at or self._is_polled(folder, device):
            return
        try:
            if self._inotify is None:
                self._inotify = INotify()
                threading.Thread(target=self._read, args=(self._inotify,), name="folder events", daemon=True).start()
            watch = self._inotify.add_watch(os.fsencode(folder), _MASK)
        except OSError as error:
            self._report(error)
        else:
            self._paths[watch] = self._paths.get(watch, frozenset()) | {folder}

    def close(self) -> None:
        """Report nothing more."""
        self._stop.set()

    def _is_polled(self, folder: str, device: int) -> bool:
        kind = mounts.remote_kind(device)
        if kind and kind not in self._polled:
            self._polled.add(kind)
            log.info("%s is on %s, which reports no changes of other machines: it is polled", folder, kind)
        return kind is not None

    def _report(self, error: OSError) -> None:
        """Log once what to raise; a folder that is gone or that nobody may read is for the scan to report."""
        if (advice := _RAISE.get(error.errno or 0)) is None:
            return
        self._retry_at = time.monotonic() + _RETRY_S
        if self._refused != advice:
            self._refused = advice
            log.warning(
                "⚠ %s, with `sudo sysctl` for example. Until then scans find new files, which takes a few seconds.",
                advice,
            )

    def _read(self, inotify: INotify) -> None:
        while not self._stop.is_set():
            for event in inotify.read(timeout=_READ_AGAIN_MS):
                if event.mask & flags.Q_OVERFLOW:
                    self._events.put(("overflow", ""))
                elif event.mask & flags.IGNORED:  # the folder is gone
                    self._paths.pop(event.wd, None)
                elif event.name:
                    for folder in self._paths.get(event.wd, ()):
                        self._put(event.mask, f"{folder}/{event.name}")
        inotify.close()

    def _put(self, mask: int, path: str) -> None:
        if mask & flags.ISDIR:
            if mask & (flags.CREATE | flags.MOVED_TO):
                self._events.put(("folder", path))
        elif mask & flags.MOVED_TO:
            self._events.put(("moved in", path))
        elif mask & flags.CLOSE_WRITE:
            self._events.put(("closed", path))
        else:
            self._events.put(("changed", path))
