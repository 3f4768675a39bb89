"""Lambda's SQS event source mapping: receive batches, invoke, then delete or release each message.

See "Using Lambda with Amazon SQS", AWS Lambda Developer Guide. Only the waiting differs from AWS: a message that failed
is received again after seconds, and one whose process was killed after ten.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from runner.messages import event_patterns
from runner.messages.schedule_events import SOURCE
from runner.services.disk_room import is_full
from runner.services.event_source_mapping.batch_results import MessageResult, filtered, results_of
from runner.services.event_source_mapping.batching import Batching
from runner.services.event_source_mapping.leases import Leases
from runner.services.event_source_mapping.rie_client import Answer, Emulator, replicas
from runner.services.event_source_mapping.run_log import RunLog
from runner.services.event_source_mapping.run_room import RunRoom
from runner.services.event_source_mapping.worker import Batch, Worker
from runner.state.database import State
from runner.template.stack_template import StackTemplate

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient

log = logging.getLogger("poller")

_FIND_LAMBDAS_INTERVAL_S = 1.0
_RENEW_INTERVAL_S = 3.0
_COPY_THREADS = 4
_COPY_AGAIN_S = 1.0
_RECORD_AGAIN_S = 1.0
_MOST_DELETED_AT_ONCE = 10
# How long a file waits for its companions before that counts as a failed attempt, and how often it is tried.
_COMPANION_PATIENCE_S = 60.0
_COMPANION_INTERVAL_S = 2.0


class Outputs(Protocol):
    """Where the outputs of runs are copied to."""

    def copy(self, keys: Iterable[str]) -> None:
        """Copy objects; when it returns, the files are there. Raises ValueError for a key that cannot be a path."""

    def copy_unlisted(self) -> None:
        """Copy, soon, what no run lists."""

    def is_complete(self) -> bool:
        """Return whether a run may read what was stored before."""


class EventSourceMapping:
    """One thread receives ahead, one for each Lambda invokes, a few copy outputs, the main thread records and deletes.

    So no Lambda waits for the queue or for a copy. The order is what keeps files safe: outputs are in the folder before
    a run is recorded, and it is recorded before its message is deleted. A crash in between only repeats work.
    """

    def __init__(
        self,
        sqs: SQSClient,
        template: StackTemplate,
        lambda_urls: list[str],
        state_folder: Path,
        outputs: Outputs,
        room: RunRoom,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        self._template, self._lambda_urls, self._state_folder = template, lambda_urls, state_folder
        self._leases, self._outputs, self._on_ready = Leases(sqs, template.queue_name), outputs, on_ready
        self._room = room
        self._batches: queue.Queue[Batch] = queue.Queue(maxsize=1)
        self._not_invoked: queue.SimpleQueue[Batch] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[Batch, Answer] | MessageResult] = queue.SimpleQueue()
        self._workers: dict[Emulator, Worker] = {}
        self._copiers = ThreadPoolExecutor(_COPY_THREADS, thread_name_prefix="copy")
        self._stop = threading.Event()
        self._run_log = RunLog()
        self._waiting_since: dict[str, float] = {}
        self._is_ready = self._warned_of_maximum = False

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; the queue returns the messages of unfinished runs again."""
        self._stop = stop
        threading.Thread(target=self._receive, name="receive", daemon=True).start()
        find_at = renew_at = 0.0
        with closing(State(self._state_folder)) as state:
            while not stop.is_set():
                now = time.monotonic()
                if now >= find_at:
                    self._assign_workers()
                    find_at = now + _FIND_LAMBDAS_INTERVAL_S
                if now >= renew_at:
                    self._leases.renew()
                    renew_at = now + _RENEW_INTERVAL_S
                self._report_ready()
                with contextlib.suppress(queue.Empty):
                    self._handle(self._answers.get(timeout=0.2 if self._is_ready else 0.02), state)
            for worker in self._workers.values():
                worker.stop()
            self._copiers.shutdown(wait=False, cancel_futures=True)
            while not self._answers.empty():
                self._handle(self._answers.get(), state)

    def _report_ready(self) -> None:
        warm = [worker.was_warm for worker in self._workers.values()]
        if not self._is_ready and (self._template.pause_reason or (warm and all(warm))):
            self._is_ready = True
            self._on_ready()

    def _assign_workers(self) -> None:
        """Have one worker for each Lambda that exists now, up to the mapping's maximum concurrency."""
        found = [emulator for url in self._lambda_urls for emulator in replicas(url, self._template.memory_mb)]
        used = set(found[: self._template.maximum_concurrency])
        if len(found) > len(used) and not self._warned_of_maximum:
            self._warned_of_maximum = True
            log.warning("⚠ %d of %d Lambdas work: the concurrency in template.yaml", len(used), len(found))
        for emulator in self._workers.keys() - used:
            self._workers.pop(emulator).stop()
        for emulator in used - self._workers.keys():
            timeout_s, queue_name = self._template.function_timeout_s, self._template.queue_name
            worker = Worker(emulator, timeout_s, queue_name, self._batches, self._add_answer)
            self._workers[emulator] = worker
            worker.start()
        self._batches.maxsize = max(1, len(self._workers))

    def _add_answer(self, batch: Batch, answer: Answer) -> None:
        self._answers.put((batch, answer))

    def _receive(self) -> None:
        """Receive ahead, and pass on what may run; a batch that no Lambda was invoked with comes first."""
        waiting: list[Batch] = []
        batching = Batching(self._template.batch_size, self._template.maximum_batching_window_s)
        with closing(State(self._state_folder)) as state:
            while not self._stop.is_set():
                while not self._not_invoked.empty():
                    waiting.append(self._not_invoked.get())
                may_run = [batch for batch in waiting if self._may_run(batch)]
                waiting = [batch for batch in waiting if batch not in may_run]
                for batch in may_run:
                    self._pass_on(batch)
                if self._template.pause_reason or not self._room.is_there():
                    self._stop.wait(1)
                    continue
                try:
                    messages = self._leases.receive(self._template.batch_size * self._batches.maxsize)
                except (ClientError, BotoCoreError) as error:
                    log.debug("the queue does not answer: %s", error)
                    self._stop.wait(0.2)
                    continue
                if messages:
                    state.received_events.add(messages)
                batching.add([message for message in messages if self._is_wanted(message)], time.monotonic())
                waiting += batching.take(time.monotonic())

    def _is_wanted(self, message: Any) -> bool:
        """Return whether the filter criteria select a message; if not, record that."""
        patterns = self._template.filter_patterns
        if not patterns or any(event_patterns.matches(pattern, message["Body"]) for pattern in patterns):
            return True
        self._answers.put(filtered(message))
        return False

    def _may_run(self, batch: Batch) -> bool:
        """Return whether there is room, and stored outputs are complete if a schedule's batch may read them."""
        reads_outputs = any(SOURCE in message["Body"] for message in batch)
        return (
            self._room.is_there() and self._room.may_run(batch) and (not reads_outputs or self._outputs.is_complete())
        )

    def _pass_on(self, batch: Batch) -> None:
        """Wait until a Lambda is about to be free."""
        while not self._stop.is_set():
            with contextlib.suppress(queue.Full):
                self._batches.put(batch, timeout=0.2)
                return

    def _handle(self, first: tuple[Batch, Answer] | MessageResult, state: State) -> None:
        """Handle an answer and those that are there already, and delete the messages of all in one call."""
        answers = [first]
        while len(answers) < _MOST_DELETED_AT_ONCE and not self._answers.empty():
            answers.append(self._answers.get())
        succeeded = []
        for answer in answers:
            for result in [answer] if isinstance(answer, MessageResult) else self._results(*answer):
                if not self._record(result, state):
                    continue
                if result.succeeded:
                    succeeded.append(result.message_id)
                else:
                    self._leases.release(
                        result.message_id, result.retry_after_s, is_last_attempt=result.is_last_attempt
                    )
        self._leases.delete(succeeded)

    def _results(self, batch: Batch, answer: Answer) -> Iterator[MessageResult]:
        """Return the results of a batch that can be recorded now; those with outputs follow when these are copied."""
        if answer.kind == "unreachable":  # it was not tried: returned to the queue, it would count as an attempt
            self._not_invoked.put(batch)
            return
        results = results_of(batch, answer, self._template.max_receive_count)
        if self._waits_for_companions(batch, results):
            return
        if lacking := self._room.lacked(results):
            self._not_invoked.put([message for message in batch if message["MessageId"] in lacking])
        for result in results:
            if result.message_id in lacking:
                continue
            if result.has_unlisted_outputs:
                self._outputs.copy_unlisted()
            if result.outputs:
                self._copiers.submit(self._copy, result)
            else:
                yield result

    def _waits_for_companions(self, batch: Batch, results: list[MessageResult]) -> bool:
        """Try a batch again later, without an attempt, while files that belong to its files are still to come."""
        message_id, now = batch[0]["MessageId"], time.monotonic()
        first = self._waiting_since.pop(message_id, now)
        if not all(result.lacks_companion for result in results) or now - first > _COMPANION_PATIENCE_S:
            return False
        self._waiting_since[message_id] = first
        again = threading.Timer(_COMPANION_INTERVAL_S, self._not_invoked.put, [batch])
        again.daemon = True
        again.start()
        return True

    def _copy(self, result: MessageResult) -> None:
        """Copy outputs until it works: a full disk or a folder in the way costs no attempt and no file."""
        last_error = ""
        while not self._stop.is_set():
            try:
                self._outputs.copy(result.outputs)
                self._answers.put(result)
                return
            except ClientError as error:
                self._answers.put(
                    result.without_outputs(f"An output cannot be read from the destination bucket: {error}")
                )
                return
            except ValueError as error:  # waiting does not help
                self._answers.put(result.without_outputs(f"An output cannot be copied to data/outputs. {error}"))
                return
            except (OSError, BotoCoreError) as error:
                if is_full(error):
                    self._room.report_outputs(result.output_bytes)
                elif str(error) != last_error:
                    last_error = str(error)
                    log.warning("✗ outputs are not copied yet, and their runs wait for it: %s", error)
                self._stop.wait(_COPY_AGAIN_S)

    def _record(self, result: MessageResult, state: State) -> bool:
        """Record the runs of a message, as soon as there is room; return False if a stop was requested before."""
        while True:
            try:
                with state.transaction():  # who sees one pipeline's run of a file sees those of the others
                    for run in result.runs:
                        state.runs.add(run, result.outcome_of(run), result.attempt, result.body_md5)
                break
            except sqlite3.OperationalError as error:
                if not is_full(error):
                    raise
            self._room.report_state()
            self._leases.renew()
            if self._stop.wait(_RECORD_AGAIN_S):
                return False
        for run in result.runs:
            self._run_log.add(run, result)
        return True
