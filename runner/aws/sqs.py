"""The local queue and its dead-letter queue, for commands and the reconciler."""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.aws import clients, emulator_api
from runner.errors import EventError
from runner.messages import s3_events
from runner.messages.run_record import Job, Version

# How long a search hides dead letters from other readers: long enough to receive all of them once.
_HIDE_S = 3
_MESSAGES_PER_S = 100
_LOOK_AGAIN_S = 0.2
_LONGEST_SEARCH_S = 60
_MOST_IN_ONE_CALL = 10


@dataclass(frozen=True)
class Message:
    """A message. `versions` are those it names; a schedule's message names none and has the MD5 of its body."""

    id: str
    body: str
    attempts: int
    versions: tuple[Version, ...]
    config: str = ""
    """Of the only pipeline that it is for; empty if it is for all that take its objects."""

    def concerns(self, job: Job) -> bool:
        """Return whether it has a version processed by a pipeline."""
        return job[:2] in self.versions and (not self.config or job[2] in ("", self.config))


def read(message: dict[str, Any]) -> Message:
    """Return a message that SQS or an emulator's developer endpoint returned."""
    attributes = {item["Name"]: item["Value"] for item in message.get("Attribute", [])} | message.get("Attributes", {})
    body = message["Body"]
    attempts = int(attributes.get("ApproximateReceiveCount", 0))
    return Message(message["MessageId"], body, attempts, *_subject(body, message["MD5OfBody"]))


def _subject(body: str, md5: str) -> tuple[tuple[Version, ...], str]:
    """Return the versions that a message is recorded under, none if it requests no run, and its only config."""
    try:
        parsed = s3_events.parse(body)
    except EventError:
        return (("", md5),), ""
    if parsed.scheduled:
        return (("", md5),), ""
    found = [(item.key, item.etag) for item in parsed.objects] + [(skip.key or "", skip.etag) for skip in parsed.skips]
    return tuple((key, etag or "") for key, etag in found if key), parsed.config or ""


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

    def delete_dead(self, ids: Collection[str]) -> None:
        """Delete messages from the dead-letter queue.

        SQS hides each message that it returns. The others are visible again when all were found, or after seconds if
        this process is killed. Messages that another process has hidden are waited for, but not for ever.

        Args:
            ids: the message IDs.
        """
        url, missing = self._url(self._dead_letter_queue_name), set(ids)
        hide_s = _HIDE_S + len(self.dead()) // _MESSAGES_PER_S if missing else 0
        deadline = time.monotonic() + hide_s + _LONGEST_SEARCH_S
        others: dict[str, str] = {}  # receipt handles by message ID
        with clients.answering("The queues do"), contextlib.ExitStack() as stack:
            stack.callback(lambda: self._show_again(url, others))
            while missing and time.monotonic() < deadline:
                found = self._sqs.receive_message(
                    QueueUrl=url, MaxNumberOfMessages=_MOST_IN_ONE_CALL, VisibilityTimeout=hide_s,
                ).get("Messages", [])  # fmt: skip
                for message in found:
                    if message["MessageId"] in missing:
                        self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                        missing.remove(message["MessageId"])
                    else:
                        others[message["MessageId"]] = message["ReceiptHandle"]
                if not found:
                    self._show_again(url, others)  # another process may wait for them
                    time.sleep(_LOOK_AGAIN_S)
                    missing &= {message.id for message in self.dead()}

    def _show_again(self, url: str, receipt_handles: dict[str, str]) -> None:
        handles = list(receipt_handles.values())
        receipt_handles.clear()
        for at in range(0, len(handles), _MOST_IN_ONE_CALL):
            entries = [
                {"Id": str(n), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                for n, handle in enumerate(handles[at : at + _MOST_IN_ONE_CALL])
            ]
            self._sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)  # type: ignore[arg-type]


def sqs_event(batch: Sequence[Mapping[str, Any]], queue_name: str) -> dict[str, Any]:
    """Return the event that Lambda makes of a batch of SQS messages ("Using Lambda with Amazon SQS")."""
    return {"Records": [_sqs_record(message, queue_name) for message in batch]}


def _sqs_record(message: Mapping[str, Any], queue_name: str) -> dict[str, Any]:
    attributes = message.get("MessageAttributes", {})
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {name: _message_attribute(value) for name, value in attributes.items()},
        "md5OfBody": message.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{clients.REGION}:{clients.ACCOUNT}:{queue_name}",
        "awsRegion": clients.REGION,
    }
    if "MD5OfMessageAttributes" in message:
        record["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
    return record


def _message_attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return an attribute in Lambda's form, in which names begin with a small letter and bytes are in Base64."""
    found: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "StringValue" in value:
        found["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        found["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    return found
