"""S3 and SQS in memory, behind the client methods that the services call, for tests that kill between any two calls.

What real S3 and SQS do is for tests against an emulator. This one loses messages, delivers them twice and forgets
everything when a test wants it to.
"""

# ruff: noqa: N803  boto3's names
from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from runner.aws.s3 import EPOCH_TAG
from runner.aws.sqs import Message, Queues, read
from runner.messages.s3_events import object_created
from runner.template.stack_template import StackTemplate

# Long ago, so that no event can still be on its way.
_MODIFIED = datetime(2020, 12, 1, tzinfo=UTC)


class Killed(BaseException):
    """The process that called was killed before the call."""


class Body(io.BytesIO):
    """The content of an object, as boto3 returns it."""

    def iter_chunks(self, chunk_size: int) -> Iterator[bytes]:
        while chunk := self.read(chunk_size):
            yield chunk


@dataclass
class StoredObject:
    content: bytes
    metadata: dict[str, str]

    @property
    def etag(self) -> str:
        return hashlib.md5(self.content, usedforsecurity=False).hexdigest()


@dataclass
class Queued:
    """A message in a queue; `receipts` counts how often it was received."""

    id: str
    body: str
    receipts: int = 0
    is_in_flight: bool = False

    def raw(self) -> dict[str, Any]:
        return {
            "MessageId": self.id,
            "ReceiptHandle": self.id,
            "Body": self.body,
            "MD5OfBody": hashlib.md5(self.body.encode(), usedforsecurity=False).hexdigest(),
            "Attributes": {"ApproximateReceiveCount": str(self.receipts)},
        }


@dataclass
class MemoryAws:
    """An emulator: `restart` loses everything. `kill_before` names the method at which the caller is killed once."""

    template: StackTemplate
    buckets: dict[str, dict[str, StoredObject]] = field(default_factory=dict)
    queues: dict[str, list[Queued]] = field(default_factory=dict)
    tags: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    epoch: int = 0
    kill_before: str = ""
    sends_events: bool = True
    _last_id: int = 0

    def restart(self) -> None:
        """Lose everything, and provision again."""
        self.epoch += 1
        self.buckets = {self.template.source_bucket: {}, self.template.destination_bucket: {}}
        self.queues = {self.template.queue_name: [], self.template.dead_letter_queue_name: []}
        self.tags = {self.template.source_bucket: [{"Key": EPOCH_TAG, "Value": str(self.epoch)}]}

    @property
    def queue(self) -> list[Queued]:
        return self.queues[self.template.queue_name]

    def copy_of(self, message: Queued) -> Queued:
        """Return the same event as another message."""
        self._last_id += 1
        return replace(message, id=str(self._last_id), receipts=0, is_in_flight=False)

    def release_leases(self) -> None:
        """Let the visibility timeout of all messages pass."""
        for messages in self.queues.values():
            for message in messages:
                message.is_in_flight = False

    def _called(self, method: str) -> None:
        if self.kill_before == method:
            self.kill_before = ""
            raise Killed(method)

    # S3

    def put_object(self, Bucket: str, Key: str, Body: Any, Metadata: Any = None, IfNoneMatch: str = "") -> Any:
        self._called("put_object")
        objects = self.buckets[Bucket]
        if IfNoneMatch and Key in objects:
            raise ClientError({"Error": {"Code": "PreconditionFailed"}}, "PutObject")
        objects[Key] = StoredObject(Body if isinstance(Body, bytes) else Body.read(), Metadata or {})
        etag = objects[Key].etag
        if Bucket == self.template.source_bucket and self.sends_events:
            self.send_message(self.template.queue_name, json.dumps(object_created(Bucket, Key, etag)))
        return {"ETag": f'"{etag}"'}

    def head_object(self, Bucket: str, Key: str) -> Any:
        return self.get_object(Bucket, Key)

    def get_object(self, Bucket: str, Key: str) -> Any:
        found = self.buckets[Bucket].get(Key)
        if found is None:
            raise ClientError({"Error": {"Code": "404"}}, "GetObject")
        return {
            "Body": Body(found.content), "ETag": f'"{found.etag}"', "LastModified": _MODIFIED,
            "Metadata": found.metadata,
        }  # fmt: skip

    def get_bucket_tagging(self, Bucket: str) -> Any:
        return {"TagSet": self.tags.get(Bucket, [])}

    def put_bucket_tagging(self, Bucket: str, Tagging: Any) -> None:
        self.tags[Bucket] = Tagging["TagSet"]

    def get_paginator(self, _operation: str) -> MemoryAws:
        return self

    def paginate(self, Bucket: str, Prefix: str) -> Iterable[Any]:
        objects = self.buckets[Bucket]
        yield {
            "Contents": [
                {"Key": key, "Size": len(one.content), "ETag": f'"{one.etag}"', "LastModified": _MODIFIED}
                for key, one in sorted(objects.items())
                if key.startswith(Prefix)
            ]
        }

    # SQS; a queue's URL is its name.

    def get_queue_url(self, QueueName: str) -> Any:
        return {"QueueUrl": QueueName}

    def get_queue_attributes(self, QueueUrl: str, **_: Any) -> Any:
        in_flight = sum(message.is_in_flight for message in self.queues[QueueUrl])
        visible = len(self.queues[QueueUrl]) - in_flight
        return {
            "Attributes": {
                "ApproximateNumberOfMessages": str(visible), "ApproximateNumberOfMessagesNotVisible": str(in_flight),
            }
        }  # fmt: skip

    def send_message(self, QueueUrl: str, MessageBody: str) -> None:
        self._called("send_message")
        self._last_id += 1
        self.queues[QueueUrl].append(Queued(str(self._last_id), MessageBody))

    def receive_message(self, QueueUrl: str, MaxNumberOfMessages: int, **_: Any) -> Any:
        """Return visible messages, and move those of the queue that have no attempt left."""
        received: list[Any] = []
        for message in [one for one in self.queues[QueueUrl] if not one.is_in_flight]:
            if QueueUrl == self.template.queue_name and message.receipts >= self.template.max_receive_count:
                self.queue.remove(message)
                self.queues[self.template.dead_letter_queue_name].append(message)
            elif len(received) < MaxNumberOfMessages:
                message.receipts, message.is_in_flight = message.receipts + 1, True
                received.append(message.raw())
        return {"Messages": received}

    def delete_message(self, QueueUrl: str, ReceiptHandle: str) -> None:
        self._called("delete_message")
        self.queues[QueueUrl] = [one for one in self.queues[QueueUrl] if one.id != ReceiptHandle]

    def delete_message_batch(self, QueueUrl: str, Entries: list[Any]) -> Any:
        for entry in Entries:
            self.delete_message(QueueUrl, entry["ReceiptHandle"])
        return {}

    def change_message_visibility(self, QueueUrl: str, ReceiptHandle: str, **_: Any) -> None:
        self._called("delete_message")  # the same step, for a message that failed
        for message in self.queues[QueueUrl]:
            message.is_in_flight = message.is_in_flight and message.id != ReceiptHandle

    def change_message_visibility_batch(self, QueueUrl: str, Entries: list[Any]) -> None:
        for entry in Entries:
            self.change_message_visibility(QueueUrl, entry["ReceiptHandle"])


class MemoryQueues(Queues):
    """The real queues of the commands and the reconciler, on the memory's SQS."""

    def __init__(self, aws: MemoryAws) -> None:
        self._aws, self._sqs = aws, aws  # type: ignore[assignment]
        self._queue_name = aws.template.queue_name
        self._dead_letter_queue_name = aws.template.dead_letter_queue_name

    def _look(self, name: str) -> list[Message]:
        return [read(message.raw()) for message in self._aws.queues[name]]
