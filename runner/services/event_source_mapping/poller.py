"""Does what Lambda's SQS event source mapping does: receives batches, invokes, settles each message by its verdict.

See "Using Lambda with Amazon SQS", AWS Lambda Developer Guide. Different from AWS is only the waiting: a message that
failed comes again after seconds, and one whose poller died after ten, because it is held by a short lease, renewed.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from runner.aws.sqs import sqs_event
from runner.messages.run_record import RunRecord
from runner.services.event_source_mapping.batch_results import Verdict, retry_wait_s, verdicts
from runner.services.event_source_mapping.rie_client import Answer, Emulator
from runner.services.event_source_mapping.worker import Batch, Worker
from runner.state.runs import History
from runner.template.stack_template import StackTemplate

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient

log = logging.getLogger("poller")

# A longer poll than this leaves messages with a killed poller's connection in LocalStack.
_LONG_POLL_S = 1
_LOOK_FOR_LAMBDAS_S = 1.0
# Instead of the queue's visibility timeout of many minutes.
_LEASE_S = 10
_RENEW_S = 3.0
_ASK_AGAIN_S = 0.2
_MOST_IN_ONE_CALL = 10


@dataclass(frozen=True)
class _Invoked:
    batch: Batch
    answer: Answer


class Poller:
    """One thread receives ahead, one for each Lambda invokes, one settles: so a Lambda never waits for the queue."""

    def __init__(
        self,
        sqs: SQSClient,
        template: StackTemplate,
        find_emulators: Callable[[], list[Emulator]],
        history: History,
        on_run: Callable[[RunRecord, Verdict], None],
        on_ready: Callable[[], None] = lambda: None,
        on_messages: Callable[[Batch], None] = lambda _: None,
        may_run: Callable[[Batch], bool] = lambda _: True,
    ) -> None:
        self._sqs, self._template, self._find_emulators = sqs, template, find_emulators
        self._history, self._on_run, self._on_ready, self._on_messages = history, on_run, on_ready, on_messages
        self._may_run = may_run
        self._queue_url: str | None = None
        self._received: queue.Queue[Batch] = queue.Queue(maxsize=1)
        self._untried: queue.SimpleQueue[Batch] = queue.SimpleQueue()
        self._invoked: queue.SimpleQueue[_Invoked] = queue.SimpleQueue()
        self._workers: dict[Emulator, Worker] = {}
        self._held: set[str] = set()  # receipt handles
        self._ready = self._said_most = False

    def run(self, stop: threading.Event) -> None:
        """Poll until `stop` is set; runs under way are then left to the queue, which gives them out again."""
        threading.Thread(target=self._receive, args=(stop,), name="receive", daemon=True).start()
        look_at = renew_at = 0.0
        while not stop.is_set():
            now = time.monotonic()
            if now >= look_at:
                self._hire()
                look_at = now + _LOOK_FOR_LAMBDAS_S
            if now >= renew_at:
                self._renew()
                renew_at = now + _RENEW_S
            if not self._ready and self._workers and all(worker.was_warm for worker in self._workers.values()):
                self._ready = True
                self._on_ready()
            with contextlib.suppress(queue.Empty):
                self._settle(self._invoked.get(timeout=0.2 if self._ready else 0.02))
        for worker in self._workers.values():
            worker.leave()
        while not self._invoked.empty():
            self._settle(self._invoked.get())

    def _hire(self) -> None:
        """Have one worker for each Lambda there is now, up to the event source mapping's maximum."""
        there = self._find_emulators()
        found = set(there[: self._template.maximum_concurrency])
        if len(there) > len(found) and not self._said_most:
            self._said_most = True
            log.warning("⚠ %d of %d Lambdas work: MaximumConcurrency in template.yaml", len(found), len(there))
        for emulator in self._workers.keys() - found:
            self._workers.pop(emulator).leave()
        for emulator in found - self._workers.keys():
            worker = Worker(
                emulator,
                self._template.function_timeout_s,
                self._received,
                lambda batch: sqs_event(batch, self._template.queue_name),
                lambda batch, answer: self._invoked.put(_Invoked(batch, answer)),
            )
            self._workers[emulator] = worker
            worker.start()
        self._received.maxsize = max(1, len(self._workers))

    def _receive(self, stop: threading.Event) -> None:
        while not stop.is_set():
            while not self._untried.empty():
                self._hand_on(self._untried.get(), stop)
            try:
                messages = self._next_messages()
            except (ClientError, BotoCoreError) as error:
                log.debug("queue not reachable: %s", error)
                stop.wait(0.2)
                continue
            size = self._template.batch_size
            for batch in (messages[at : at + size] for at in range(0, len(messages), size)):
                self._hand_on(batch, stop)

    def _hand_on(self, batch: Batch, stop: threading.Event) -> None:
        """Wait until the batch may run and a Lambda is about to be free."""
        while not self._may_run(batch) and not stop.wait(_ASK_AGAIN_S):
            pass
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                self._received.put(batch, timeout=0.2)
                return

    def _next_messages(self) -> Batch:
        """As many messages as all Lambdas together take at once; SQS gives ten at the most."""
        if self._queue_url is None:
            self._queue_url = self._sqs.get_queue_url(QueueName=self._template.queue_name)["QueueUrl"]
        answer = self._sqs.receive_message(
            QueueUrl=self._queue_url,
            MaxNumberOfMessages=min(_MOST_IN_ONE_CALL, self._template.batch_size * self._received.maxsize),
            WaitTimeSeconds=_LONG_POLL_S,
            MessageSystemAttributeNames=["All"],
            VisibilityTimeout=_LEASE_S,
        )
        messages = answer.get("Messages", [])
        self._held.update(message["ReceiptHandle"] for message in messages)
        if messages:
            self._on_messages(messages)
        return messages

    def _renew(self) -> None:
        """Go on holding what was received and is not settled, however long it takes."""
        handles = sorted(self._held.copy())  # the receiver adds to it meanwhile
        for at in range(0, len(handles), _MOST_IN_ONE_CALL):
            entries = [
                {"Id": str(n), "ReceiptHandle": handle, "VisibilityTimeout": _LEASE_S}
                for n, handle in enumerate(handles[at : at + _MOST_IN_ONE_CALL])
            ]
            try:
                self._sqs.change_message_visibility_batch(QueueUrl=self._queue_url or "", Entries=entries)  # type: ignore[arg-type]
            except (ClientError, BotoCoreError) as error:
                log.debug("leases not renewed: %s", error)

    def _settle(self, first: _Invoked) -> None:
        """Write down what became of each message; then delete it, or let the queue give it out again."""
        finished = [first]
        while len(finished) < _MOST_IN_ONE_CALL and not self._invoked.empty():
            finished.append(self._invoked.get())
        done: list[Verdict] = []
        for invoked in finished:
            if invoked.answer.kind == "unreachable":  # given back to the queue, it would count as an attempt
                self._untried.put(invoked.batch)
                continue
            for verdict in verdicts(invoked.batch, invoked.answer, self._template.max_receive_count):
                for run in verdict.runs:
                    self._history.add(run, verdict.outcome_of(run), verdict.attempt, verdict.body_md5)
                    self._on_run(run, verdict)
                if verdict.succeeded:
                    done.append(verdict)
                else:
                    self._give_back(verdict.receipt_handle, 0 if verdict.last else retry_wait_s(verdict.attempt))
        for at in range(0, len(done), _MOST_IN_ONE_CALL):
            self._delete(done[at : at + _MOST_IN_ONE_CALL])

    def _delete(self, done: list[Verdict]) -> None:
        self._held.difference_update(verdict.receipt_handle for verdict in done)
        entries = [{"Id": str(n), "ReceiptHandle": verdict.receipt_handle} for n, verdict in enumerate(done)]
        try:
            answer = self._sqs.delete_message_batch(QueueUrl=self._queue_url or "", Entries=entries)  # type: ignore[arg-type]
            kept = [f"{item['Code']}: {item.get('Message', '')}" for item in answer.get("Failed", [])]
        except (ClientError, BotoCoreError) as error:
            kept = [str(error)] * len(done)
        if kept:
            log.warning("%d messages could not be deleted and will come again: %s", len(kept), kept[0])

    def _give_back(self, receipt_handle: str, wait_s: int) -> None:
        """Have the queue give a message out again soon, or after its last attempt to the dead-letter queue."""
        self._held.discard(receipt_handle)
        try:
            self._sqs.change_message_visibility(
                QueueUrl=self._queue_url or "", ReceiptHandle=receipt_handle, VisibilityTimeout=wait_s
            )
        except (ClientError, BotoCoreError) as error:
            log.warning("a message comes again only after the visibility timeout: %s", error)
