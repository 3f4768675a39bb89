"""Reconcile while a stack runs: after a start of the emulator, when dead letters arrive, and when the queue is empty.

It looks only at versions without a final outcome, so its cost does not grow with the number of runs.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from dataclasses import dataclass

from runner.errors import StackError
from runner.messages.object_keys import printable
from runner.messages.run_record import OPEN
from runner.services.progress import backlog
from runner.services.reconciler.classify import Repair
from runner.services.reconciler.repair import Reconciler, opened
from runner.settings import Settings
from runner.template.stack_template import StackTemplate

log = logging.getLogger("reconciler")

_CHECK_INTERVAL_S = 5.0
_CONFIRM_AFTER_S = 1.0
_LOOK_INTERVAL_S = 30.0
# To look through a longer queue costs the emulator more than it is worth.
_LONG_QUEUE = 500
_DONE: dict[Repair | None, str] = {"re-queue": "re-queued", "record": "recorded as a dead letter"}


@dataclass(frozen=True)
class _Depths:
    """What is cheap to ask, and differs when there may be something to repair."""

    epoch: str
    waiting: int
    dead: int


class ReconcileLoop:
    """Looks when something may have been lost."""

    def __init__(self, settings: Settings, template: StackTemplate) -> None:
        self._settings, self._template = settings, template
        self._depths: _Depths | None = None
        self._look_at = 0.0
        self._backlog_at, self._last_run_id = 0.0, 0

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set."""
        with opened(self._settings, self._template, self._settings.endpoint_url) as reconciler:
            while not stop.is_set():
                try:
                    self._check(reconciler)
                except (StackError, OSError, sqlite3.Error) as error:
                    log.debug("cannot reconcile now: %s", error)
                stop.wait(_CONFIRM_AFTER_S if reconciler.suspects or self._depths is None else _CHECK_INTERVAL_S)

    def _check(self, reconciler: Reconciler) -> None:
        epoch = reconciler.backend and reconciler.backend.epoch()
        if not reconciler.backend or not epoch:
            return
        depths = _Depths(epoch, *reconciler.backend.queues.depths())
        self._log_backlog(reconciler, depths.waiting)
        if not (reconciler.suspects or self._is_due(depths)):
            return
        if self._depths is None or depths.epoch != self._depths.epoch:
            self._log_start(reconciler)
        self._depths, self._look_at = depths, time.monotonic() + _LOOK_INTERVAL_S
        self._look(reconciler)

    def _is_due(self, depths: _Depths) -> bool:
        if self._depths is None:
            return True
        if (depths.epoch, depths.dead) != (self._depths.epoch, self._depths.dead):
            return depths.waiting <= _LONG_QUEUE
        return not depths.waiting and time.monotonic() >= self._look_at

    def _look(self, reconciler: Reconciler) -> None:
        for finding in reconciler.look(reconciler.snapshot().open()).repaired:
            if finding.repair != "close":  # nothing was wrong
                name = printable(finding.key) or "a message"
                log.info("↻ %s %s: %s", name, finding.reason, _DONE[finding.repair])

    def _log_start(self, reconciler: Reconciler) -> None:
        count = len(reconciler.state.versions.with_outcome(*OPEN))
        if count:
            log.info("↻ resuming %d unfinished files", count)

    def _log_backlog(self, reconciler: Reconciler, waiting: int) -> None:
        now, last_id = time.monotonic(), reconciler.state.runs.last_id()
        if now - self._backlog_at >= _CHECK_INTERVAL_S:
            text = self._backlog_at and backlog(waiting, last_id - self._last_run_id, now - self._backlog_at)
            self._backlog_at, self._last_run_id = now, last_id
            if text:
                log.info("… %s", text)
