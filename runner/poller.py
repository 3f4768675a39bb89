"""Does what Lambda's SQS event source mapping does: receives batches, invokes, settles each message by its verdict.

See "Using Lambda with Amazon SQS", AWS Lambda Developer Guide. Different from AWS is only the waiting before a retry:
seconds instead of the queue's visibility timeout.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from runner import aws
from runner.history import History
from runner.record import RunRecord
from runner.rie import Answer, Emulator
from runner.template import StackTemplate
from runner.verdicts import Verdict, verdicts

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

log = logging.getLogger("poller")

# A longer poll than this leaves messages with a killed poller's connection in LocalStack.
_LONG_POLL_S = 1
_WARM_UP_EVENT = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "warm-up"}
_RETRY_BASE_S = 1
_RETRY_MOST_S = 30
_MOST_IN_ONE_CALL = 10

Batch = list["MessageTypeDef"]


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
        emulators: list[Emulator],
        history: History,
        on_run: Callable[[RunRecord, Verdict], None],
    ) -> None:
        self._sqs, self._template, self._emulators = sqs, template, emulators
        self._history, self._on_run = history, on_run
        self._queue_url: str | None = None
        self._received: queue.Queue[Batch] = queue.Queue(maxsize=len(emulators))
        self._invoked: queue.SimpleQueue[_Invoked] = queue.SimpleQueue()
        self.warm = threading.Event()
        self._warmed: set[Emulator] = set()
        self._complaints: dict[Emulator, str] = {}

    def run(self, stop: threading.Event) -> None:
        """Poll until `stop` is set; runs under way are then left to the queue, which gives them out again."""
        threads = [threading.Thread(target=self._receive, args=(stop,), name="receive", daemon=True)]
        threads += [threading.Thread(target=self._serve, args=(e, stop), daemon=True) for e in self._emulators]
        for thread in threads:
            thread.start()
        while not stop.is_set():
            with contextlib.suppress(queue.Empty):
                self._settle(self._invoked.get(timeout=0.2))
        while not self._invoked.empty():
            self._settle(self._invoked.get())

    def _receive(self, stop: threading.Event) -> None:
        while not stop.is_set():
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
        """Wait until a Lambda is about to be free."""
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
            MaxNumberOfMessages=min(_MOST_IN_ONE_CALL, self._template.batch_size * len(self._emulators)),
            WaitTimeSeconds=_LONG_POLL_S,
            MessageSystemAttributeNames=["All"],
        )
        return answer.get("Messages", [])

    def _serve(self, emulator: Emulator, stop: threading.Event) -> None:
        """Give one Lambda batch after batch; warm it up first, and again whenever its runtime had to start anew."""
        warm, batch = False, None
        while not stop.is_set():
            warm = warm or self._warm_up(emulator, stop)
            if warm and batch is None:
                with contextlib.suppress(queue.Empty):
                    batch = self._received.get(timeout=0.2)
            if not warm or batch is None:
                continue
            answer = emulator.invoke(sqs_event(batch, self._template), self._template.function_timeout_s)
            warm = answer.kind in ("answered", "raised")
            if answer.kind == "unreachable":  # it was not tried: another Lambda may be sooner
                with contextlib.suppress(queue.Full):
                    self._received.put_nowait(batch)
                    batch = None
            else:
                self._invoked.put(_Invoked(batch, answer))
                batch = None

    def _warm_up(self, emulator: Emulator, stop: threading.Event) -> bool:
        if not emulator.is_up():
            stop.wait(0.05)
            return False
        answer = emulator.invoke(_WARM_UP_EVENT, self._template.function_timeout_s)
        if answer.kind != "answered":
            if self._complaints.get(emulator) != answer.error:
                self._complaints[emulator] = answer.error
                log.error("✗ the Lambda at %s does not start: %s\n%s", emulator.url, answer.error, answer.traceback)
            stop.wait(2.0)
            return False
        self._warmed.add(emulator)
        if len(self._warmed) == len(self._emulators):
            self.warm.set()
        return True

    def _settle(self, first: _Invoked) -> None:
        """Write down what became of each message; then delete it, or let the queue give it out again."""
        finished = [first]
        while len(finished) < _MOST_IN_ONE_CALL and not self._invoked.empty():
            finished.append(self._invoked.get())
        done: list[Verdict] = []
        for invoked in finished:
            for verdict in verdicts(invoked.batch, invoked.answer, self._template.max_receive_count):
                for run in verdict.runs:
                    self._history.add(run, verdict.outcome_of(run), verdict.attempt)
                    self._on_run(run, verdict)
                if verdict.succeeded:
                    done.append(verdict)
                else:
                    self._give_back(verdict)
        for at in range(0, len(done), _MOST_IN_ONE_CALL):
            self._delete(done[at : at + _MOST_IN_ONE_CALL])

    def _delete(self, done: list[Verdict]) -> None:
        entries = [{"Id": str(n), "ReceiptHandle": verdict.receipt_handle} for n, verdict in enumerate(done)]
        try:
            self._sqs.delete_message_batch(QueueUrl=self._queue_url or "", Entries=entries)  # type: ignore[arg-type]
        except (ClientError, BotoCoreError) as error:
            log.warning("%d messages could not be deleted and will come again: %s", len(done), error)

    def _give_back(self, verdict: Verdict) -> None:
        """The queue gives the message out again soon; after its last attempt, moves it to the dead-letter queue."""
        wait_s = 0 if verdict.last else retry_wait_s(verdict.attempt)
        try:
            self._sqs.change_message_visibility(
                QueueUrl=self._queue_url or "", ReceiptHandle=verdict.receipt_handle, VisibilityTimeout=wait_s
            )
        except (ClientError, BotoCoreError) as error:
            log.warning("a message comes again only after the visibility timeout: %s", error)


def retry_wait_s(attempt: int) -> int:
    """1, 2, 4 … seconds after the first, second, third … attempt."""
    return min(_RETRY_MOST_S, _RETRY_BASE_S << (attempt - 1))


def sqs_event(batch: Batch, template: StackTemplate) -> dict[str, Any]:
    """The event that Lambda makes of a batch of SQS messages (same page of the guide)."""
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message.get("Attributes", {}),
                "messageAttributes": {},
                "md5OfBody": message.get("MD5OfBody", ""),
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{aws.REGION}:{aws.ACCOUNT}:{template.queue_name}",
                "awsRegion": aws.REGION,
            }
            for message in batch
        ]
    }
