"""The local queue and its dead-letter queue, for commands and the reconciler."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.aws import clients, emulator_api
from runner.errors import EventError
from runner.messages import s3_events
from runner.messages.run_record import Version

# How long a dead letter is hidden from other readers during a search.
_SEARCH_S = 30
_MOST_IN_ONE_CALL = 10


@dataclass(frozen=True)
class Message:
    """A message. `versions` are those it names; a schedule's message names none and has the MD5 of its body."""

    id: str
    body: str
    attempts: int
    versions: tuple[Version, ...]


def read(message: dict[str, Any]) -> Message:
    """Return a message that SQS or an emulator's developer endpoint returned."""
    attributes = {item["Name"]: item["Value"] for item in message.get("Attribute", [])} | message.get("Attributes", {})
    body = message["Body"]
    attempts = int(attributes.get("ApproximateReceiveCount", 0))
    return Message(message["MessageId"], body, attempts, versions(body, message["MD5OfBody"]))


def versions(body: str, md5: str) -> tuple[Version, ...]:
    """Return the versions that a message is recorded under; none if it requests no run."""
    try:
        parsed = s3_events.parse(body)
    except EventError:
        return (("", md5),)
    if parsed.scheduled:
        return (("", md5),)
    found = [(item.key, item.etag) for item in parsed.objects] + [(skip.key or "", skip.etag) for skip in parsed.skips]
    return tuple((key, etag or "") for key, etag in found if key)


class Queues:
    """Both queues at an endpoint.

    Raises:
        StackError: from any method, when they do not answer.
    """

    def __init__(self, endpoint_url: str, queue_name: str, dead_letter_queue_name: str) -> None:
        self._endpoint_url = endpoint_url
        self._queue_name, self._dead_letter_queue_name = queue_name, dead_letter_queue_name
        self._sqs = clients.local_sqs(endpoint_url)

    def _url(self, name: str) -> str:
        with clients.answering("The queues do"):
            return self._sqs.get_queue_url(QueueName=name)["QueueUrl"]

    def depths(self) -> tuple[int, int]:
        """Return how many messages are in the queue and in the dead-letter queue, in flight or not."""
        found = []
        for name in (self._queue_name, self._dead_letter_queue_name):
            url = self._url(name)
            with clients.answering("The queues do"):
                known = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            found.append(
                int(known["ApproximateNumberOfMessages"]) + int(known["ApproximateNumberOfMessagesNotVisible"])
            )
        return found[0], found[1]

    def waiting(self) -> list[Message]:
        """Return the messages in the queue and in flight."""
        return self._look(self._queue_name)

    def dead(self) -> list[Message]:
        """Return the messages in the dead-letter queue."""
        return self._look(self._dead_letter_queue_name)

    def _look(self, name: str) -> list[Message]:
        return [read(message) for message in emulator_api.messages(self._endpoint_url, self._url(name))]

    def send(self, body: str) -> None:
        """Put a message into the queue."""
        url = self._url(self._queue_name)
        with clients.answering("The queues do"):
            self._sqs.send_message(QueueUrl=url, MessageBody=body)

    def take_dead(self, wanted: Callable[[Message], bool], handle: Callable[[Message], bool]) -> int:
        """Go through the dead-letter queue once; return how many messages were deleted.

        Args:
            wanted: whether a message is one of those to handle.
            handle: called with the message, which is deleted afterwards if it returns True. A kill in between repeats
                work and loses nothing.
        """
        url, deleted = self._url(self._dead_letter_queue_name), 0
        passed: dict[str, str] = {}  # by message id, the receipt handles of those that stay
        with clients.answering("The queues do"), contextlib.ExitStack() as stack:
            stack.callback(lambda: self._show_again(url, list(passed.values())))
            while True:
                found = self._sqs.receive_message(
                    QueueUrl=url, MaxNumberOfMessages=_MOST_IN_ONE_CALL, VisibilityTimeout=_SEARCH_S,
                    MessageSystemAttributeNames=["All"],
                ).get("Messages", [])  # fmt: skip
                if not found or any(message["MessageId"] in passed for message in found):  # a full round
                    return deleted
                for raw in found:
                    message = read(dict(raw))
                    if wanted(message) and handle(message):
                        self._sqs.delete_message(QueueUrl=url, ReceiptHandle=raw["ReceiptHandle"])
                        deleted += 1
                    else:
                        passed[message.id] = raw["ReceiptHandle"]

    def _show_again(self, url: str, handles: list[str]) -> None:
        for at in range(0, len(handles), _MOST_IN_ONE_CALL):
            entries = [
                {"Id": str(n), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                for n, handle in enumerate(handles[at : at + _MOST_IN_ONE_CALL])
            ]
            self._sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)  # type: ignore[arg-type]


def sqs_event(batch: Sequence[Mapping[str, Any]], queue_name: str) -> dict[str, Any]:
    """Return the event that Lambda makes of a batch of SQS messages ("Using Lambda with Amazon SQS")."""
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
                "eventSourceARN": f"arn:aws:sqs:{clients.REGION}:{clients.ACCOUNT}:{queue_name}",
                "awsRegion": clients.REGION,
            }
            for message in batch
        ]
    }
