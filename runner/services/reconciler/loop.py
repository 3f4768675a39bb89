"""Reconcile all the time while a stack runs."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from dataclasses import dataclass, replace

from runner.aws.s3 import bucket_epoch
from runner.errors import StackError
from runner.messages.object_keys import printable
from runner.messages.run_record import Version
from runner.services.progress import backlog
from runner.services.reconciler.classify import Remedy, Sheet
from runner.services.reconciler.repair import Books, opened
from runner.settings import Settings
from runner.template.stack_template import StackTemplate

log = logging.getLogger("balance")


_LOOK_AGAIN_S = 1.0


_MOST_ROUNDS = 3


_GLANCE_S = 5.0


_FULL_LOOK_S = 30.0


# Looking through a longer queue costs LocalStack more than it tells.
_LONG_QUEUE = 500


def _settled(books: Books) -> Sheet:
    """Look, mend, and look again, until nothing is left that can be mended."""
    for _ in range(_MOST_ROUNDS):
        sheet = _look_twice(books)
        if not books.mend(sheet.unaccounted()):
            break
    return sheet


def _look_twice(books: Books) -> Sheet:
    """What moves on can be missed by one look, so unaccounted for is what is so in two."""
    sheet = books.look()
    missed = {(finding.key, finding.etag) for finding in sheet.unaccounted()}
    if missed:
        time.sleep(_LOOK_AGAIN_S)
        sheet = books.look()
        sheet.open = [
            finding if finding.place or (finding.key, finding.etag) in missed else replace(finding, place="in progress")
            for finding in sheet.open
        ]
    return sheet


class Keeper:
    """Keeps the balance while a stack runs: at its start, when dead letters come, and when the queue is empty."""

    def __init__(self, settings: Settings, described: StackTemplate) -> None:
        self._settings, self._template = settings, described
        self._suspects: set[Version] = set()
        self._unsettled = False  # something is in progress, of which only another look tells whether it comes to an end
        self._seen: _Marks | None = None
        self._full_at = 0.0
        self._ran: tuple[float, int] | None = None

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set."""
        with opened(self._settings, self._template, self._settings.endpoint_url) as books:
            while not stop.is_set():
                try:
                    self._tend(books)
                except (StackError, OSError, sqlite3.Error) as error:
                    log.debug("no balance now: %s", error)
                stop.wait(_LOOK_AGAIN_S if self._suspects or self._seen is None else _GLANCE_S)

    def _tend(self, books: Books) -> None:
        marks = _marks(books)
        if marks is None:
            return
        self._tell_backlog(marks)
        if not self._is_due(marks):
            return
        sheet = books.look()
        if self._seen is None:
            _tell_start(sheet)
        self._seen, self._full_at = marks, time.monotonic() + _FULL_LOOK_S
        missing, self._unsettled = sheet.unaccounted(), bool(sheet.in_progress())
        again = [finding for finding in missing if (finding.key, finding.etag) in self._suspects]
        for finding in books.mend(again):
            log.info("↻ %s %s: %s", printable(finding.key) or "a message", finding.problem, _MENDED[finding.remedy])
        self._suspects = {(f.key, f.etag) for f in missing if f.remedy} - self._suspects

    def _tell_backlog(self, marks: _Marks) -> None:
        before, now = self._ran, (time.monotonic(), marks.last_run)
        if before is None or now[0] - before[0] >= _GLANCE_S:
            self._ran = now
            text = before and backlog(marks.waiting, now[1] - before[1], now[0] - before[0])
            if text:
                log.info("… %s", text)

    def _is_due(self, marks: _Marks) -> bool:
        if self._suspects or self._seen is None:
            return True
        if (marks.epoch, marks.dead) != (self._seen.epoch, self._seen.dead):
            return marks.waiting <= _LONG_QUEUE
        news = self._unsettled or marks != self._seen
        return not marks.waiting and news and time.monotonic() >= self._full_at


_MENDED: dict[Remedy | None, str] = {"again": "taken up again", "enter": "noted as a dead letter"}


@dataclass(frozen=True)
class _Marks:
    """What is cheap to ask and differs when there may be something new."""

    epoch: str
    waiting: int
    dead: int
    last_run: int
    last_upload: float


def _marks(books: Books) -> _Marks | None:
    """None while there is no complete backend."""
    epoch = books.backend and bucket_epoch(books.backend.s3, books.template.source_bucket)
    if not books.backend or not epoch:
        return None
    return _Marks(epoch, *books.backend.queues.depths(), books.history.last_id(), books.ledger.last_at())


def _tell_start(sheet: Sheet) -> None:
    waiting = sheet.in_progress()
    known = sum(bool(finding.etag) for finding in waiting)
    if known:
        log.info("↻ taking up %d files again that had not come to an end", known)
    if len(waiting) > known:
        log.info("↻ %d files in the inbox are new", len(waiting) - known)
