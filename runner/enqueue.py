"""Events for objects that are in a bucket already: which, how fast, and how far."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.aws.s3 import Listed, listed
from runner.errors import StackError
from runner.messages.s3_events import event

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sqs.client import SQSClient

_MOST_IN_ONE_CALL = 10


@dataclass(frozen=True)
class Request:
    """Which objects: below prefixes or with exact keys, and when they came; one that is asked for twice counts once."""

    bucket: str
    prefixes: tuple[str, ...]
    keys: tuple[str, ...]
    since: datetime | None
    until: datetime | None

    def find(self, s3: S3Client) -> list[Listed]:
        """The objects, in the order of their keys."""
        found: dict[str, Listed] = {}
        for prefix in (*self.prefixes, *self.keys):
            for item in listed(s3, self.bucket, prefix, self.since, self.until):
                if prefix in self.prefixes or item.key == prefix:
                    found[item.key] = item
        return [found[key] for key in sorted(found)]


class Progress:
    """How far a request has come, in a small file that a kill leaves whole; the same request goes on there.

    Args:
        where: tells the same request in another account, or after LocalStack forgot, from this one.
    """

    def __init__(self, state: Path, where: str, request: Request) -> None:
        state.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(f"{where} {request}".encode()).hexdigest()[:16]
        self.path = state / f"backfill-{name}.json"

    def left(self, found: Iterable[Listed]) -> list[Listed]:
        """What is not sent yet."""
        last = json.loads(self.path.read_text())["last_key"] if self.path.exists() else None
        return [item for item in found if last is None or item.key > last]

    def reached(self, key: str) -> None:
        """Everything up to this key is sent."""
        partial = self.path.with_suffix(".part")
        partial.write_text(json.dumps({"last_key": key}))
        partial.replace(self.path)

    def finish(self) -> None:
        """The request is done: the next like it begins anew."""
        self.path.unlink(missing_ok=True)


def send(
    sqs: SQSClient, queue_url: str, bucket: str, items: Sequence[Listed], rate_per_s: float,
    sent: Callable[[Sequence[Listed]], None], pause: Callable[[float], None],
) -> None:  # fmt: skip
    """Send events at a rate, in batches; `sent` is told each batch that the queue has.

    Raises:
        StackError: the queue did not take a message; those before are sent.
    """
    began, count = time.monotonic(), 0
    for batch in _batches(items, min(_MOST_IN_ONE_CALL, math.ceil(rate_per_s))):
        pause(max(0.0, began + count / rate_per_s - time.monotonic()))
        entries: Any = [{"Id": str(n), "MessageBody": json.dumps(event(bucket, item))} for n, item in enumerate(batch)]
        failed = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries).get("Failed", [])
        if failed:
            why = failed[0].get("Message") or failed[0]["Code"]
            key = batch[int(failed[0]["Id"])].key
            raise StackError(f"The queue did not take {key}: {why}. The same command again goes on from there.")
        sent(batch)
        count += len(batch)


def _batches(items: Sequence[Listed], size: int) -> Iterator[Sequence[Listed]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]
