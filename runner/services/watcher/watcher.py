"""Upload every complete file of the inbox to the source bucket, once for each content. Never move or change a file."""

from __future__ import annotations

import contextlib
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from runner.aws import emulator_api
from runner.aws.s3 import bucket_epoch
from runner.messages.object_keys import printable, refused
from runner.messages.run_record import FINAL
from runner.services.disk_room import DiskRoom, is_full
from runner.services.watcher.debounce import Settler
from runner.services.watcher.entries import Found, unreadable
from runner.services.watcher.folder_events import EventKind, FolderEvents
from runner.services.watcher.inbox import Inbox
from runner.services.watcher.problems import Problems
from runner.services.watcher.scanner import Scanner
from runner.services.watcher.uploader import Sent, Uploader
from runner.settings import Settings
from runner.state.database import State
from runner.state.inbox_problems import Problem
from runner.state.uploads import Stamp
from runner.state.versions import KnownVersion

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

log = logging.getLogger("watcher")

_RETRY_S = 1.0
_CHECK_BUCKET_INTERVAL_S = 2.0
_CHECK_MISSING_BUCKET_INTERVAL_S = 0.2
_UPLOAD_THREADS = 4


class Watcher:
    """Folder events are quick, scans find what events miss, and the state records what was uploaded."""

    def __init__(self, settings: Settings, s3: S3Client, bucket: str, state: State) -> None:
        self._settings, self._s3, self._bucket, self._state = settings, s3, bucket, state
        self._events: queue.SimpleQueue[tuple[EventKind, str]] = queue.SimpleQueue()
        self._folder_events = None if settings.polling else FolderEvents(self._events)
        watch = [self._folder_events.watch] if self._folder_events else []
        self._inbox = Inbox(settings.inbox, settings.ignored_names, *watch)
        self._problems = Problems(state.inbox_problems)
        self._scanner = Scanner(self._inbox, settings.scan_interval_s)
        self._settler = Settler(settings.settle_s)
        self._pool = ThreadPoolExecutor(_UPLOAD_THREADS, thread_name_prefix="upload")
        self._uploader = Uploader(s3, bucket, state, self._inbox)
        self._running: dict[str, Future[Sent]] = {}
        self._done: dict[str, Stamp] = {}
        """The state of each file that needs nothing more."""
        self._epoch: str | None = None
        self._check_bucket_at = 0.0
        self._room, self._has_room = DiskRoom(log, "files wait", settings.state), True
        self._warnings: dict[str, str] = {}
        self._last_change = 0

    def run(self, stop: threading.Event, on_ready: Callable[[], None] = lambda: None) -> None:
        """Watch until `stop` is set; `on_ready` is called when files can be uploaded."""
        self._settings.inbox.mkdir(parents=True, exist_ok=True)
        is_ready = False
        try:
            while not stop.is_set():
                self._step()
                if self._epoch and not is_ready:
                    is_ready = True
                    on_ready()
        finally:
            if self._folder_events:
                self._folder_events.close()
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _step(self) -> None:
        try:
            self._wait_for_events()
            self._check_bucket()
            self._scan()
            self._collect()
            self._start_uploads()
        except sqlite3.OperationalError as error:
            if not is_full(error):
                raise
            self._room.report(self._settings.state)
            time.sleep(_RETRY_S)

    def _wait_for_events(self) -> None:
        """Wait until something happens or is due, and handle all events that are there."""
        now = time.monotonic()
        wait_s = min(0.5, self._check_bucket_at - now)
        if self._epoch and self._has_room:  # else nothing can be uploaded, whatever is due
            wait_s = self._settler.wait_s(now, most=min(wait_s, self._scanner.wait_s(now)))
        with contextlib.suppress(queue.Empty):
            self._handle(*(self._events.get(timeout=wait_s) if wait_s > 0 else self._events.get_nowait()))
            while True:
                self._handle(*self._events.get_nowait())

    def _handle(self, kind: EventKind, path: str) -> None:
        if kind == "overflow":  # so many events at once that the kernel dropped some
            self._scanner.restart()
        if kind in ("overflow", "wake"):
            return
        key = self._inbox.key(path)
        if kind == "folder":
            if key:  # files may have come into it before anyone listened there
                for name, found in self._inbox.scan(Path(path)):
                    self._see(name, found)
            return
        stamp = self._inbox.stamp(key) if key and not refused(key) else None
        if key is None or stamp is None:
            return
        see = {"closed": self._settler.closed, "moved in": self._settler.arrived}.get(kind, self._settler.seen)
        see(key, stamp, time.monotonic())

    def _check_bucket(self) -> None:
        """Look whether the bucket is the one that the recorded uploads went to: the emulator starts empty."""
        now = time.monotonic()
        if now < self._check_bucket_at:
            return
        epoch = bucket_epoch(self._s3, self._bucket) if emulator_api.answers(self._s3) else None
        self._check_bucket_at = now + (_CHECK_BUCKET_INTERVAL_S if epoch else _CHECK_MISSING_BUCKET_INTERVAL_S)
        if epoch and epoch != self._epoch:
            self._done.clear()
            self._last_change = 0
            self._done.update(self._state.uploads.settled(epoch, FINAL))
            self._scanner.restart()
        self._epoch = epoch

    def _scan(self) -> None:
        """Look at some files of the inbox; one that lay there before the start need not be waited for."""
        if not self._epoch:
            return
        completed = self._scanner.completed
        for key, found in self._scanner.look():
            self._see(key, found, was_there=not completed)
        if self._scanner.completed != completed:
            self._problems.end_of_scan()
        self._settler.tidy(time.monotonic())
        if not self._settings.retain:
            self._remove_succeeded()

    def _see(self, key: str, found: Found, *, was_there: bool = False) -> None:
        """Note a file unless it is done, or why it cannot be taken."""
        if isinstance(found, Problem):
            self._problems.found(key, found)
            return
        if self._done.get(key) == found:
            return
        if refusal := refused(key):
            self._problems.found(key, Problem(refusal))
            return
        self._problems.is_file(key)
        if key in self._running:
            return
        if was_there:
            self._uploader.found_at_start.add(key)
        self._settler.seen(key, found, time.monotonic(), self._inbox.quiet_s(found) if was_there else 0.0)

    def _remove_succeeded(self) -> None:
        """Remove the files of versions that succeeded since the last look."""
        for known in self._state.versions.changed_since(self._last_change):
            self._last_change = known.change
            if known.outcome == "succeeded":
                self._remove(known)

    def _remove(self, known: KnownVersion) -> None:
        """Remove a file whose outputs are in the outputs folder; keep one that was dropped again to have them made."""
        if self._inbox.stamp(known.key) is None:  # most were removed long ago
            return
        upload, jobs = self._state.uploads.get(known.key), self._state.versions.of(known.version)
        if upload is None or upload.etag != known.etag or any(one.outcome != "succeeded" for one in jobs):
            return
        runs = [self._state.runs.get(one.run_id) for one in jobs if one.run_id]
        outputs = [output for run in runs for output in run.record["outputs"]]
        if not runs or not all((self._settings.outputs / output["key"]).is_file() for output in outputs):
            return
        if self._inbox.stamp(known.key) == upload.stamp:
            self._inbox.path(known.key).unlink(missing_ok=True)
            self._done.pop(known.key, None)

    def _start_uploads(self) -> None:
        self._has_room = self._room.has()
        if not self._epoch or not self._has_room:
            return
        for key, stamp in self._settler.take_due(time.monotonic()):
            if key in self._running:
                self._settler.postpone(key, stamp, time.monotonic() + 0.05)
            elif self._inbox.stamp(key) != stamp:
                self._handle("changed", str(self._inbox.path(key)))
            elif self._done.get(key) != stamp:
                known = self._state.uploads.get(key)
                is_finished = self._uploader.is_finished(known, self._epoch)
                future = self._pool.submit(self._uploader.send, key, stamp, self._epoch, known, is_finished=is_finished)
                future.add_done_callback(lambda _: self._events.put(("wake", "")))
                self._running[key] = future

    def _collect(self) -> None:
        """Record finished uploads; what changed meanwhile is seen and uploaded again."""
        for key in [key for key, future in self._running.items() if future.done()]:
            future, stamp = self._running[key], self._inbox.stamp(key)
            error = future.exception()
            if error is None:
                self._warnings.pop(key, None)
                self._problems.gone(key)
                self._record(key, future.result())
            del self._running[key]  # it is recorded, for which there may have been no room
            if error is None and stamp:
                self._see(key, stamp)
            elif stamp:
                if isinstance(error, OSError):
                    self._problems.found(key, unreadable(error))
                else:
                    self._warn(key, f"not uploaded, trying again: {error}")
                self._settler.postpone(key, stamp, time.monotonic() + _RETRY_S)
                self._check_bucket_at = 0.0

    def _record(self, key: str, sent: Sent) -> None:
        """Record an upload. It is not done if its bucket is gone meanwhile."""
        self._uploader.record(key, sent)
        known = self._state.versions.get((key, sent.etag))
        if sent.epoch == self._epoch or (known and known.outcome in FINAL):
            self._done[key] = sent.stamp
        if known and known.outcome == "succeeded" and not self._settings.retain:
            self._remove(known)  # its run was quicker than this record

    def _warn(self, key: str, text: str) -> None:
        """Log what is wrong with a file, once."""
        if self._warnings.get(key) != text:
            self._warnings[key] = text
            log.warning("✗ %s: %s", printable(key), text)
