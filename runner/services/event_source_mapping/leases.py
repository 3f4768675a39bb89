"""Hold messages for ten seconds at a time and extend that, so that a killed process does not hide them for minutes."""

from __future__ import annotations

import logging
from collections.abc import Iterable
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


class Leases:
    """The queue, as the event source mapping uses it: receive, hold, delete or return messages."""

    def __init__(self, sqs: SQSClient, queue_name: str) -> None:
        self._sqs, self._queue_name = sqs, queue_name
        self._url: str | None = None
        self._held: set[str] = set()  # receipt handles

    def receive(self, most: int) -> list[Any]:
        """Wait for messages for a second, and return up to `most`; SQS returns ten at most.

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
        self._held.update(message["ReceiptHandle"] for message in messages)
        return list(messages)

    def renew(self) -> None:
        """Extend the visibility timeout of everything that is held."""
        for handles in _in_calls(sorted(self._held.copy())):  # the receiver adds to it meanwhile
            entries: Any = [
                {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": _LEASE_S}
                for number, handle in enumerate(handles)
            ]
            try:
                self._sqs.change_message_visibility_batch(QueueUrl=self._url or "", Entries=entries)
            except (ClientError, BotoCoreError) as error:
                log.debug("leases not renewed: %s", error)

    def delete(self, handles: Iterable[str]) -> None:
        """Delete messages that succeeded."""
        for some in _in_calls(list(handles)):
            self._held.difference_update(some)
            entries: Any = [{"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(some)]
            try:
                answer = self._sqs.delete_message_batch(QueueUrl=self._url or "", Entries=entries)
                kept = [f"{item['Code']}: {item.get('Message', '')}" for item in answer.get("Failed", [])]
            except (ClientError, BotoCoreError) as error:
                kept = [str(error)] * len(some)
            if kept:
                log.warning("%d messages could not be deleted and will be received again: %s", len(kept), kept[0])

    def release(self, handle: str, wait_s: int) -> None:
        """Have the queue return a message again after a while, or move it if it has no attempt left."""
        self._held.discard(handle)
        try:
            self._sqs.change_message_visibility(
                QueueUrl=self._url or "", ReceiptHandle=handle, VisibilityTimeout=wait_s
            )
        except (ClientError, BotoCoreError) as error:
            log.warning("a message is received again only after its visibility timeout: %s", error)


def _in_calls(handles: list[str]) -> list[list[str]]:
    return [handles[at : at + _MOST_IN_ONE_CALL] for at in range(0, len(handles), _MOST_IN_ONE_CALL)]
