"""Finds what is unaccounted for, takes it up again, and says what is where: at people's request, and all the time."""

from __future__ import annotations

import json
import logging
import sqlite3
import sys
import threading
import time
from dataclasses import dataclass, replace

from runner.aws.s3 import bucket_epoch
from runner.balance import Remedy, Sheet
from runner.books import Books, opened
from runner.errors import StackError
from runner.messages.object_keys import printable
from runner.messages.run_record import Version
from runner.messages.run_summary import short_id
from runner.services.progress import WAITING_S, Ticker, backlog
from runner.settings import Settings
from runner.state.stack_lock import running_at
from runner.template import stack_template
from runner.template.stack_template import StackTemplate
from runner.terminal import results, say

log = logging.getLogger("balance")

_LOOK_AGAIN_S = 1.0
_MOST_ROUNDS = 3
_GLANCE_S = 5.0
_FULL_LOOK_S = 30.0
# Looking through a longer queue costs LocalStack more than it tells.
_LONG_QUEUE = 500


def reconcile(settings: Settings, *, as_json: bool, wait_s: float) -> int:
    """Draw the balance, take up what can be, and print it; gives the exit code, 0 when all is accounted for.

    Args:
        wait_s: so long wait for what is in progress; what then still is counts as unaccounted for.
    """
    described = stack_template.load(settings.root / "template.yaml")
    deadline, ticker = time.monotonic() + wait_s, Ticker(say, WAITING_S)
    while True:
        endpoint_url = running_at(settings)
        try:
            with opened(settings, described, endpoint_url) as books:
                sheet = _settled(books)
        except StackError:  # it is starting again
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_AGAIN_S)
            continue
        # Without a stack it may be starting again, and knows more then.
        may_change = [finding for finding in sheet.open if finding.place or finding.remedy or not endpoint_url]
        if time.monotonic() >= deadline or not may_change:
            break
        ticker.tick(f"… {len(may_change)} files are in progress")
        time.sleep(0.2)
    if wait_s:
        late = f"is still in progress after {wait_s:g} s"
        sheet.open = [replace(f, place=None, problem=late) if f.place else f for f in sheet.open]
    _print(sheet, as_json=as_json, running=endpoint_url is not None)
    return 1 if sheet.unaccounted() else 0


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


def _print(sheet: Sheet, *, as_json: bool, running: bool) -> None:
    missing = sheet.unaccounted()
    if as_json:
        rows = [{"key": printable(f.key), "etag": f.etag, "problem": f.problem} for f in missing]
        sys.stdout.write(json.dumps({"unaccounted": rows, "accounted": sheet.counts()}, indent=2) + "\n")
        return
    if not running:
        say("No stack runs on this folder: the next `runner up` takes up what is in progress.")
    for finding in missing:
        name = f"{short_id((finding.key, finding.etag))} {printable(finding.key) or 'a message'}"
        results.print(f"✗ {name} {finding.problem}", markup=False, style="red")
    told = ", ".join(f"{count} {place}" for place, count in sheet.counts().items() if count)
    results.print(f"{len(missing)} unaccounted for; {told or 'no file has come yet'}", markup=False)


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
