"""One thread for one Lambda: warms it up, then gives it batch after batch, one at a time."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from runner.services.event_source_mapping import rie_client
from runner.services.event_source_mapping.rie_client import Answer, Emulator

log = logging.getLogger("poller")

Batch = list[Any]
"""Messages as SQS gives them out."""

# Acknowledged by the handler and nothing else; it makes the runtime go through its init phase.
_WARM_UP_EVENT = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "warm-up"}


class Worker(threading.Thread):
    """Owns an emulator: nobody else may invoke it, because it crashes on a second invoke while one runs."""

    def __init__(
        self,
        emulator: Emulator,
        timeout_s: float,
        received: queue.Queue[Batch],
        as_event: Callable[[Batch], Mapping[str, Any]],
        done: Callable[[Batch, Answer], None],
        init_limit_s: float = 10.0,
    ) -> None:
        super().__init__(name=f"worker {emulator.url}", daemon=True)
        self._emulator, self._timeout_s = emulator, timeout_s
        self._received, self._as_event, self._done = received, as_event, done
        self._complaint, self._init_limit_s = "", init_limit_s
        self._leave = threading.Event()
        self.was_warm = False

    def leave(self) -> None:
        """Take no more batches: the Lambda is gone, or the poller ends."""
        self._leave.set()

    def run(self) -> None:
        """Work until told to leave."""
        warm, batch = False, None
        while not self._leave.is_set():
            warm = warm or self._warm_up()
            if warm and batch is None:
                with contextlib.suppress(queue.Empty):
                    batch = self._received.get(timeout=0.2)
            if not warm or batch is None:
                continue
            answer = self._emulator.invoke(self._as_event(batch), self._timeout_s)
            warm = answer.kind in ("answered", "raised")  # else its runtime starts anew
            if answer.kind == "unreachable":  # it was not tried: another Lambda may be sooner
                with contextlib.suppress(queue.Full):
                    self._received.put_nowait(batch)
                    batch = None
            else:
                self._done(batch, answer)
                batch = None
        if batch is not None:
            self._done(batch, Answer("unreachable", error=f"the Lambda at {self._emulator.url} is gone"))

    def _warm_up(self) -> bool:
        if not self._emulator.is_up():
            self._leave.wait(0.05)
            return False
        began = time.monotonic()
        answer = self._emulator.invoke(_WARM_UP_EVENT, self._timeout_s)
        if answer.kind != "answered":
            if self._complaint != answer.error:
                self._complaint = answer.error
                log.error(
                    "✗ the Lambda at %s does not start: %s\n%s", self._emulator.url, answer.error, answer.traceback
                )
            self._leave.wait(2.0)
            return False
        took = time.monotonic() - began
        if took > self._init_limit_s and not self.was_warm:
            log.warning("⚠ %s", rie_client.slow_start(self._emulator.url, took, self._init_limit_s))
        self.was_warm = True
        return True
