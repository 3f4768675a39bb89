# ruff: noqa: N803  boto3's names
from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from runner.services.event_source_mapping.leases import Leases


def message(number: int, receipt: str = "") -> dict[str, Any]:
    return {"MessageId": f"m{number:02}", "ReceiptHandle": f"h{number:02}{receipt}", "Body": f"body {number}"}


class Queue:
    """Records the calls; a queue's URL is its name."""

    def __init__(self, messages: int, failed: list[Any] | None = None, error: Exception | None = None) -> None:
        self._messages = [message(number) for number in range(messages)]
        self._failed, self._error = failed or [], error
        self.calls: list[tuple[str, list[str], int | None]] = []

    def get_queue_url(self, QueueName: str) -> dict[str, str]:
        return {"QueueUrl": QueueName}

    def receive_message(self, **options: Any) -> dict[str, Any]:
        found = self._messages[: options["MaxNumberOfMessages"]]
        del self._messages[: len(found)]
        self.calls.append(("receive", [], options["VisibilityTimeout"]))
        return {"Messages": found} if found else {}

    def change_message_visibility_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> None:
        self._add("renew", Entries)

    def change_message_visibility(self, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int) -> None:
        self._add("release", [{"ReceiptHandle": ReceiptHandle, "VisibilityTimeout": VisibilityTimeout}])

    def delete_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        self._add("delete", Entries)
        return {"Failed": self._failed}

    def delete_message(self, QueueUrl: str, ReceiptHandle: str) -> None:
        self._add("delete", [{"ReceiptHandle": ReceiptHandle}])

    def send_message(self, QueueUrl: str, MessageBody: str, DelaySeconds: int) -> None:
        self._add("send", [{"ReceiptHandle": MessageBody, "VisibilityTimeout": DelaySeconds}])

    def _add(self, name: str, entries: list[dict[str, Any]]) -> None:
        handles = [entry["ReceiptHandle"] for entry in entries]
        self.calls.append((name, handles, entries[0].get("VisibilityTimeout")))
        if self._error:
            raise self._error


def leases(queue: Any) -> Leases:
    return Leases(queue, "queue")


def test_messages_are_held_for_ten_seconds_and_renewed_until_they_are_deleted_or_released():
    queue = Queue(3)
    held = leases(queue)
    assert [message["ReceiptHandle"] for message in held.receive(3)] == ["h00", "h01", "h02"]
    held.renew()
    held.delete(["m00"])
    held.release("m01", 4, is_last_attempt=False)
    held.renew()
    assert held.receive(3) == []
    assert queue.calls == [
        ("receive", [], 10), ("renew", ["h00", "h01", "h02"], 10), ("delete", ["h00"], None), ("release", ["h01"], 4),
        ("renew", ["h02"], 10), ("receive", [], 10),
    ]  # fmt: skip


def test_a_call_has_ten_messages_at_most():
    queue = Queue(25)
    held = leases(queue)
    ids = [message["MessageId"] for _ in range(3) for message in held.receive(25)]
    held.renew()
    held.delete(ids)
    assert [len(some) for name, some, _ in queue.calls if name in ("renew", "delete")] == [10, 10, 5, 10, 10, 5]


def test_a_message_that_is_not_deleted_is_reported_and_no_longer_held(caplog: pytest.LogCaptureFixture):
    queue = Queue(2, failed=[{"Id": "0", "Code": "ReceiptHandleIsInvalid", "Message": "expired"}])
    held = leases(queue)
    held.receive(2)
    held.delete(["m00", "m01"])
    held.renew()
    assert caplog.messages == [
        "1 messages could not be deleted and will be received again: ReceiptHandleIsInvalid: expired"
    ]
    assert [name for name, _, _ in queue.calls] == ["receive", "delete"]


def test_a_queue_that_does_not_answer_stops_nothing(caplog: pytest.LogCaptureFixture):
    queue = Queue(3, error=ClientError({"Error": {"Code": "NoSuchQueue", "Message": "gone"}}, "Call"))
    held = leases(queue)
    held.receive(3)
    held.renew()
    held.delete(["m00", "m01"])
    held.release("m02", 1, is_last_attempt=False)
    text = "An error occurred (NoSuchQueue) when calling the Call operation: gone"
    assert caplog.messages == [
        f"2 messages could not be deleted and will be received again: {text}",
        f"a message is received again only after its visibility timeout: {text}",
    ]


def test_a_message_that_comes_again_while_it_is_held_is_held_under_its_new_receipt():
    """The machine slept for longer than the lease."""
    queue = Queue(3)
    held = leases(queue)
    held.receive(3)
    queue._messages += [message(number, "again") for number in range(3)]
    assert held.receive(3) == []
    held.renew()
    held.delete(["m00"])
    held.release("m01", 2, is_last_attempt=False)
    held.release("m02", 0, is_last_attempt=True)
    assert queue.calls[2:] == [
        ("renew", ["h00again", "h01again", "h02again"], 10), ("delete", ["h00again"], None),
        ("send", ["body 1"], 2), ("delete", ["h01again"], None),  # else the second receipt would count as an attempt
        ("release", ["h02again"], 0),
    ]  # fmt: skip
    queue._messages.append(message(0, "later"))
    assert held.receive(1) == [message(0, "later")]
