"""What `runner backfill` sends: which objects, how far an earlier try has come, and events at a steady rate."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from runner.aws.s3 import ListedObject, list_objects
from runner.errors import StackError
from runner.messages.s3_events import object_created
from runner.state.backfills import Backfills

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sqs.client import SQSClient

_MOST_IN_ONE_CALL = 10  # SQS takes no more messages at once


@dataclass(frozen=True)
class Request:
    """Objects below prefixes or with exact keys, and the times of their arrival. Each object counts once."""

    bucket: str
    prefixes: tuple[str, ...]
    keys: tuple[str, ...]
    since: datetime | None
    until: datetime | None

    def find(self, s3: S3Client) -> list[ListedObject]:
        """Return the objects, sorted by key."""
        found: dict[str, ListedObject] = {}
        for prefix in (*self.prefixes, *self.keys):
            for item in list_objects(s3, self.bucket, prefix, self.since, self.until):
                if prefix in self.prefixes or item.key == prefix:
                    found[item.key] = item
        return [found[key] for key in sorted(found)]


class Checkpoint:
    """The last key that was sent for a request: the same request resumes after it.

    Args:
        backfills: where it is recorded.
        where: distinguishes the same request in another account, or after the emulator lost its objects.
        request: that is resumed.
    """

    def __init__(self, backfills: Backfills, where: str, request: Request) -> None:
        self._backfills, self._name = backfills, f"{where} {request}"

    def unsent(self, found: Iterable[ListedObject]) -> list[ListedObject]:
        """Return the objects that are not sent yet."""
        last = self._backfills.last_key(self._name)
        return [item for item in found if last is None or item.key > last]

    def reach(self, key: str) -> None:
        """Record that all objects up to this key are sent."""
        self._backfills.record(self._name, key)

    def finish(self) -> None:
        """Record that the request is complete; the same request then starts from the beginning."""
        self._backfills.finish(self._name)


def send(
    sqs: SQSClient, queue_url: str, bucket: str, items: Sequence[ListedObject], rate_per_s: float,
    sent: Callable[[Sequence[ListedObject]], None], pause: Callable[[float], None],
) -> None:  # fmt: skip
    """Send events at a rate, in batches, and call `sent` with each batch that is in the queue.

    Raises:
        StackError: the queue did not accept a message; those before it are sent.
    """
    began, count = time.monotonic(), 0
    for batch in _batches(items, min(_MOST_IN_ONE_CALL, math.ceil(rate_per_s))):
        pause(max(0.0, began + count / rate_per_s - time.monotonic()))
        entries: Any = [
            {
                "Id": str(number),
                "MessageBody": json.dumps(object_created(bucket, item.key, item.etag, item.size, item.modified)),
            }
            for number, item in enumerate(batch)
        ]
        failed = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries).get("Failed", [])
        if failed:
            why = failed[0].get("Message") or failed[0]["Code"]
            key = batch[int(failed[0]["Id"])].key
            raise StackError(f"The queue did not accept {key}: {why}. Run the same command again to resume.")
        sent(batch)
        count += len(batch)


def _batches(items: Sequence[ListedObject], size: int) -> Iterator[Sequence[ListedObject]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
