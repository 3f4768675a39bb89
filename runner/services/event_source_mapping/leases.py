"""Hold messages for ten seconds at a time and extend that, so that a killed process does not hide them for minutes."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient

log = logging.getLogger("poller")

# A longer poll than this leaves messages with a killed client's connection in LocalStack.
_LONG_POLL_S = 1
# Instead of the queue's visibility timeout of many minutes.
_LEASE_S = 10
_MOST_IN_ONE_CALL = 10


@dataclass
class _Lease:
    """A message that is held."""

    handle: str
    body: str
    is_repeated: bool = False
    """It came again while it was held: this machine slept, or its clock jumped."""


class Leases:
    """The queue, as the event source mapping uses it: receive, hold, delete or return messages."""

    def __init__(self, sqs: SQSClient, queue_name: str) -> None:
        self._sqs, self._queue_name = sqs, queue_name
        self._url: str | None = None
        self._held: dict[str, _Lease] = {}  # by message ID

    def receive(self, most: int) -> list[Any]:
        """Wait for messages for a second, and return up to `most` that are not held yet; SQS returns ten at most.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: the queue does not answer.
        """
        if self._url is None:
            self._url = self._sqs.get_queue_url(QueueName=self._queue_name)["QueueUrl"]
        messages = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=min(_MOST_IN_ONE_CALL, most),
            WaitTimeSeconds=_LONG_POLL_S,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
            VisibilityTimeout=_LEASE_S,
        ).get("Messages", [])
        return [message for message in messages if self._hold(message)]

    def _hold(self, message: Any) -> bool:
        """Hold a message; return False if it was held."""
        known, handle = self._held.get(message["MessageId"]), message["ReceiptHandle"]
        self._held[message["MessageId"]] = _Lease(handle, message["Body"], is_repeated=known is not None)
        return known is None

    def renew(self) -> None:
        """Extend the visibility timeout of everything that is held."""
        for leases in _in_calls(list(self._held.copy().values())):  # the receiver adds to it meanwhile
            entries: Any = [
                {"Id": str(number), "ReceiptHandle": lease.handle, "VisibilityTimeout": _LEASE_S}
                for number, lease in enumerate(leases)
            ]
            try:
                self._sqs.change_message_visibility_batch(QueueUrl=self._url or "", Entries=entries)
            except (ClientError, BotoCoreError) as error:
                log.debug("leases not renewed: %s", error)

    def delete(self, message_ids: Iterable[str]) -> None:
        """Delete messages that succeeded."""
        for some in _in_calls([self._held.pop(message_id) for message_id in message_ids]):
            entries: Any = [{"Id": str(number), "ReceiptHandle": lease.handle} for number, lease in enumerate(some)]
            try:
                answer = self._sqs.delete_message_batch(QueueUrl=self._url or "", Entries=entries)
                kept = [f"{item['Code']}: {item.get('Message', '')}" for item in answer.get("Failed", [])]
            except (ClientError, BotoCoreError) as error:
                kept = [str(error)] * len(some)
            if kept:
                log.warning("%d messages could not be deleted and will be received again: %s", len(kept), kept[0])

    def release(self, message_id: str, wait_s: int, *, is_last_attempt: bool) -> None:
        """Have the queue return a message again after a while, or move it if it has no attempt left.

        One that was received again while it was held has lost attempts without being tried: a copy takes its place.
        """
        lease = self._held.pop(message_id)
        try:
            if lease.is_repeated and not is_last_attempt:
                self._sqs.send_message(QueueUrl=self._url or "", MessageBody=lease.body, DelaySeconds=wait_s)
                self._sqs.delete_message(QueueUrl=self._url or "", ReceiptHandle=lease.handle)
            else:
                self._sqs.change_message_visibility(
                    QueueUrl=self._url or "", ReceiptHandle=lease.handle, VisibilityTimeout=wait_s
                )
        except (ClientError, BotoCoreError) as error:
            log.warning("a message is received again only after its visibility timeout: %s", error)


def _in_calls(leases: list[_Lease]) -> list[list[_Lease]]:
    return [leases[at : at + _MOST_IN_ONE_CALL] for at in range(0, len(leases), _MOST_IN_ONE_CALL)]
