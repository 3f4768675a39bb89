"""Puts every whole file of the inbox into the source bucket, once for each content. Never moves or changes a file."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runner.aws import emulator_api
from runner.aws.s3 import bucket_epoch, etag_of, sha256_of, upload
from runner.messages.object_keys import printable, refused
from runner.messages.run_record import FINAL, RunRecord
from runner.services.progress import TransferProgress, human_size
from runner.services.watcher.debounce import Settler
from runner.services.watcher.inbox import FolderEvents, Happening, Inbox
from runner.settings import Settings
from runner.state.outputs import is_mirrored
from runner.state.runs import History
from runner.state.uploads import Ledger, Stamp, Upload

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

log = logging.getLogger("watcher")

_RETRY_S = 1.0
_WORTH_ANNOUNCING_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class _Sent:
    """What came of one upload: nothing was sent when this content was there already, or had come to its end before."""

    stamp: Stamp
    sha256: str
    etag: str
    epoch: str
    began_at: float | None
    """When it was begun; None when nothing was sent."""


class Watcher:
    """Folder events tell quickly, a periodic scan tells truly; the ledger remembers what was uploaded."""

    def __init__(self, settings: Settings, s3: S3Client, bucket: str, ledger: Ledger, history: History) -> None:
        self._settings, self._s3, self._bucket = settings, s3, bucket
        self._ledger, self._history = ledger, history
        self._inbox = Inbox(settings.inbox, settings.ignored_names)
        self._settler = Settler(settings.settle_s)
        self._happenings: queue.SimpleQueue[tuple[Happening, str]] = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="upload")
        self._running: dict[str, Future[_Sent]] = {}
        self._done: dict[str, Stamp] = {}
        self._epoch: str | None = None
        self._complaints: dict[str, str] = {}
        self._found_at_start: set[str] | None = None
        self._scan_at = 0.0

    def run(self, stop: threading.Event, on_ready: Callable[[], None] = lambda: None) -> None:
        """Watch until `stop` is set; `on_ready` is called when what lies in the inbox can be taken."""
        self._settings.inbox.mkdir(parents=True, exist_ok=True)
        observer = None if self._settings.polling else FolderEvents(self._happenings).observe(self._settings.inbox)
        ready = False
        try:
            while not stop.is_set():
                self._listen()
                if time.monotonic() >= self._scan_at:
                    self._scan()
                self._collect()
                self._start_uploads()
                if self._epoch and not ready:
                    ready = True
                    on_ready()
        finally:
            if observer:
                observer.stop()
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _listen(self) -> None:
        """Wait until something happens or is due, and take note of all that happened."""
        now = time.monotonic()
        until_scan_s = max(0.001, min(0.5, self._scan_at - now))
        # Without a bucket nothing can be taken, whatever is due.
        wait_s = self._settler.wait_s(now, most=until_scan_s) if self._epoch else until_scan_s
        with contextlib.suppress(queue.Empty):
            self._note(*self._happenings.get(timeout=max(0.001, wait_s)))
            while True:
                self._note(*self._happenings.get_nowait())

    def _note(self, happening: Happening, path: str) -> None:
        if happening == "folder" and self._inbox.key(path):
            self._see(self._inbox.scan(Path(path)))  # files may have come into it before anyone listened there
        key = None if happening in ("folder", "wake") else self._inbox.key(path)
        stamp = self._inbox.stamp(key) if key else None
        if key is None or stamp is None or refused(key):
            return
        tell = {"closed": self._settler.closed, "arrived": self._settler.arrived}.get(happening, self._settler.seen)
        tell(key, stamp, time.monotonic())

    def _scan(self) -> None:
        """Read the inbox in full; see whether the bucket is still the one that the ledger speaks of."""
        epoch = bucket_epoch(self._s3, self._bucket) if emulator_api.answers(self._s3) else None
        if epoch != self._epoch:
            self._done.clear()
            self._epoch = epoch
        keys = list(self._inbox.scan())
        first = self._found_at_start is None
        if self._found_at_start is None:
            self._found_at_start = set(keys)
        self._see(keys, left_from_before=first)
        now = time.monotonic()
        self._settler.tidy(now)
        self._scan_at = now + (self._settings.scan_interval_s if self._epoch else 0.2)

    def _see(self, keys: Iterable[str], *, left_from_before: bool = False) -> None:
        """Note those of the files that are not done; one that lay here before needs not be waited for."""
        for key in keys:
            refusal = refused(key)
            if refusal:
                self._complain(key, refusal)
                continue
            stamp = self._inbox.stamp(key)
            if stamp and self._done.get(key) != stamp and key not in self._running and not self._is_done(key, stamp):
                quiet_s = self._inbox.quiet_s(key) if left_from_before else 0.0
                self._settler.seen(key, stamp, time.monotonic(), quiet_s)

    def _is_done(self, key: str, stamp: Stamp) -> bool:
        """Whether this state of a file was uploaded to this bucket, or had come to an end in one now lost."""
        known = self._ledger.get(key)
        if known is None or known.stamp != stamp:
            return False
        outcome = self._history.outcome(key, known.etag)
        if outcome == "succeeded" and not self._settings.retain:
            self._remove(known, stamp)
            return True
        done = known.epoch == self._epoch or outcome in FINAL
        if done and (self._settings.retain or outcome in FINAL):
            self._done[key] = stamp
        return done

    def _remove(self, known: Upload, stamp: Stamp) -> None:
        """Remove a file that succeeded, once its outputs are where they outlive LocalStack."""
        run = self._history.of(known.key, known.etag)
        # Outputs that are gone were taken by somebody, unless the file came after them: to have them made again.
        taken = run and self._history.is_kept(run.id) and stamp.ctime_ns < run.ended_at * 1e9
        if run and (taken or is_mirrored(run, self._settings.outputs)) and self._inbox.stamp(known.key) == stamp:
            self._inbox.path(known.key).unlink(missing_ok=True)

    def _start_uploads(self) -> None:
        if not self._epoch:
            return
        for key, stamp in self._settler.take_due(time.monotonic()):
            if key in self._running:
                self._settler.postpone(key, stamp, time.monotonic() + 0.05)
            elif self._inbox.stamp(key) != stamp:
                self._note("changed", str(self._inbox.path(key)))
            elif not self._is_done(key, stamp):
                known = self._ledger.get(key)
                # Asked only of what went to a bucket that is lost: it reads a whole record.
                ended = bool(known and known.epoch != self._epoch and self._history.ended_last(key, known.etag))
                future = self._pool.submit(self._send, key, stamp, known, self._epoch, ended=ended)
                future.add_done_callback(lambda _: self._happenings.put(("wake", "")))
                self._running[key] = future

    def _send(self, key: str, stamp: Stamp, known: Upload | None, epoch: str, *, ended: bool) -> _Sent:
        path, began_at = self._inbox.path(key), time.time()
        sha256 = sha256_of(path)
        touched = known if known and known.sha256 == sha256 else None
        if touched and ended:
            return _Sent(stamp, sha256, touched.etag, touched.epoch, None)
        # A watcher may have died before it entered an upload: of this content, or of another over it.
        if touched or (known is None and key in (self._found_at_start or ())):
            etag = etag_of(self._s3, self._bucket, key, sha256)
            if etag:
                return _Sent(stamp, sha256, etag, epoch, None)
        if stamp.size >= _WORTH_ANNOUNCING_BYTES:
            log.info("↑ %s: uploading %s …", key, human_size(stamp.size))
        on_bytes = TransferProgress(lambda text: log.info("↑ %s: %s", key, text), stamp.size).add
        etag = upload(self._s3, self._bucket, key, path, sha256, on_bytes)
        return _Sent(stamp, sha256, etag, epoch, began_at)

    def _collect(self) -> None:
        """Enter finished uploads into the ledger; what changed meanwhile is seen again and sent again."""
        for key in [key for key, future in self._running.items() if future.done()]:
            future = self._running.pop(key)
            stamp = self._inbox.stamp(key)
            error = future.exception()
            if error is None:
                self._enter(key, future.result())
            elif stamp:
                self._complain(key, f"not uploaded, trying again: {error}")
                self._settler.postpone(key, stamp, time.monotonic() + _RETRY_S)
                self._scan_at = 0.0

    def _complain(self, key: str, text: str) -> None:
        """Say what is wrong with a file, once."""
        if self._complaints.get(key) != text:
            self._complaints[key] = text
            log.warning("✗ %s: %s", printable(key), text)

    def _enter(self, key: str, sent: _Sent) -> None:
        self._complaints.pop(key, None)
        if sent.began_at:
            self._reopen(key, sent.etag, sent.began_at)
        self._ledger.put(Upload(key, *sent.stamp, sent.sha256, sent.etag, sent.epoch, time.time()))
        if sent.began_at:
            log.info("↑ %s (%s)", key, human_size(sent.stamp.size))

    def _reopen(self, key: str, etag: str, began_at: float) -> None:
        """Content that comes again after other content begins anew: its end of before must not pass for that of now."""
        run = self._history.of(key, etag)
        if run and run.outcome in FINAL and run.ended_at < began_at:
            record: RunRecord = {**run.record, "reason": "the same content came again"}
            self._history.enter(record, [(key, etag)], "retried", run.attempt)
