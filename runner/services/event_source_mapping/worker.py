"""One thread for one Lambda: warm it up, then invoke it with batch after batch, one at a time."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from runner.aws.sqs import sqs_event
from runner.services.event_source_mapping.rie_client import Answer, Emulator, slow_start

log = logging.getLogger("poller")

Batch = list[Any]
"""Messages as SQS returns them."""

# The handler only acknowledges it; it makes the runtime go through its init phase.
_WARM_UP_EVENT = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "warm-up"}


class Worker(threading.Thread):
    """Owns an emulator. No other thread may invoke it, because it crashes on a second invoke while one runs."""

    def __init__(
        self,
        emulator: Emulator,
        timeout_s: float,
        queue_name: str,
        batches: queue.Queue[Batch],
        on_answer: Callable[[Batch, Answer], None],
        init_limit_s: float = 10.0,
    ) -> None:
        super().__init__(name=f"worker {emulator.url}", daemon=True)
        self._emulator, self._timeout_s, self._queue_name = emulator, timeout_s, queue_name
        self._batches, self._on_answer = batches, on_answer
        self._last_error, self._init_limit_s = "", init_limit_s
        self._stop_requested = threading.Event()
        self.was_warm = False

    def stop(self) -> None:
        """Take no more batches."""
        self._stop_requested.set()

    def run(self) -> None:
        """Work until `stop` is called."""
        is_warm = False
        while not self._stop_requested.is_set():
            is_warm = is_warm or self._warm_up()
            if not is_warm:
                continue
            try:
                batch = self._batches.get(timeout=0.2)
            except queue.Empty:
                continue
            answer = self._emulator.invoke(sqs_event(batch, self._queue_name), self._timeout_s)
            is_warm = answer.kind in ("answered", "raised")  # otherwise the emulator starts a new runtime
            self._on_answer(batch, answer)

    def _warm_up(self) -> bool:
        if not self._emulator.is_up():
            self._stop_requested.wait(0.05)
            return False
        began = time.monotonic()
        answer = self._emulator.invoke(_WARM_UP_EVENT, self._timeout_s)
        if answer.kind != "answered":
            self._log_start_failure(answer)
            self._stop_requested.wait(2.0)
            return False
        took_s = time.monotonic() - began
        if took_s > self._init_limit_s and not self.was_warm:
            log.warning("⚠ %s", slow_start(self._emulator.url, took_s, self._init_limit_s))
        self.was_warm = True
        return True

    def _log_start_failure(self, answer: Answer) -> None:
        """Log why the Lambda does not start, each reason once."""
        if self._last_error != answer.error:
            self._last_error = answer.error
            log.error("✗ the Lambda at %s does not start: %s\n%s", self._emulator.url, answer.error, answer.traceback)
