"""What the operating system reports about a folder: quick, but not to be relied on."""

from __future__ import annotations

import queue
import warnings
from pathlib import Path
from typing import Literal

from watchdog.events import DirCreatedEvent, DirMovedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

EventKind = Literal["changed", "closed", "moved in", "folder", "wake"]
"""`wake` is the watcher's own: an upload is complete."""


class FolderEvents(FileSystemEventHandler):
    """Puts the events of files and new folders into a queue."""

    def __init__(self, events: queue.SimpleQueue[tuple[EventKind, str]]) -> None:
        self._events = events

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Queue what an event means for a file."""
        if event.is_directory:
            if isinstance(event, DirCreatedEvent | DirMovedEvent):
                self._events.put(("folder", str(event.dest_path or event.src_path)))
        elif event.event_type == "moved":
            self._events.put(("moved in", str(event.dest_path)))
        elif event.event_type in ("created", "modified"):
            self._events.put(("changed", str(event.src_path)))
        elif event.event_type == "closed":
            self._events.put(("closed", str(event.src_path)))

    def observe(self, folder: Path) -> BaseObserver:
        """Start to listen to a folder and all below it."""
        # When nested folders are created at once, watchdog adds the inner one twice and warns; that does no harm.
        warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)
        observer = Observer()
        observer.schedule(self, str(folder), recursive=True)
        observer.start()
        return observer
