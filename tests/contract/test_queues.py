"""What queues do: the Amazon SQS developer guide and API reference."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable

import pytest

from runner.aws import emulator_api
from tests.contract import queues
from tests.contract.conftest import Cloud

MakeQueue = Callable[..., str]


def depths(cloud: Cloud, url: str) -> tuple[int, int]:
    """Return the numbers of visible and of invisible messages."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = cloud.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(found[names[0]]), int(found[names[1]])


def test_a_received_message_is_hidden_until_its_visibility_timeout(cloud: Cloud, make_queue: MakeQueue):
    sqs, url = cloud.client("sqs"), make_queue(VisibilityTimeout="1")
    sqs.send_message(QueueUrl=url, MessageBody="x")
    (first,) = queues.receive(cloud, url)
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    assert depths(cloud, url) == (0, 1)
    (again,) = queues.receive(cloud, url)
    assert [one["Attributes"]["ApproximateReceiveCount"] for one in (first, again)] == ["1", "2"]
    assert first["MessageId"] == again["MessageId"]
    assert first["MD5OfBody"] == hashlib.md5(b"x").hexdigest()


def test_visibility_can_be_extended_and_ended(cloud: Cloud, make_queue: MakeQueue):
    sqs, url = cloud.client("sqs"), make_queue(VisibilityTimeout="1")
    sqs.send_message(QueueUrl=url, MessageBody="x")
    (message,) = queues.receive(cloud, url)
    handle = message["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=30)
    time.sleep(1.3)
    assert depths(cloud, url) == (0, 1)
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    assert len(queues.receive(cloud, url)) == 1


def test_a_deleted_message_can_be_deleted_again(
    cloud: Cloud, make_queue: MakeQueue, differs: Callable[[str, str], None]
):
    differs("ministack", "Deleting a message twice")
    sqs, url = cloud.client("sqs"), make_queue()
    sqs.send_message(QueueUrl=url, MessageBody="x")
    (message,) = queues.receive(cloud, url)
    for _ in range(2):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert depths(cloud, url) == (0, 0)


def test_a_message_moves_to_the_dead_letter_queue_after_its_last_receive(cloud: Cloud, make_queue: MakeQueue):
    dead, sqs = make_queue(), cloud.client("sqs")
    redrive = {"deadLetterTargetArn": queues.arn_of(cloud, dead), "maxReceiveCount": 2}
    url = make_queue(RedrivePolicy=json.dumps(redrive))
    sent = sqs.send_message(QueueUrl=url, MessageBody="x")["MessageId"]
    for _ in range(2):
        assert len(queues.receive(cloud, url, VisibilityTimeout=0)) == 1
    assert queues.is_empty(cloud, url)
    (letter,) = queues.receive(cloud, dead)
    assert (letter["MessageId"], letter["Body"]) == (sent, "x")


def test_a_moved_message_counts_its_receives_from_one(
    cloud: Cloud, make_queue: MakeQueue, differs: Callable[[str, str], None]
):
    differs("localstack", "Receive count after a redrive")
    differs("ministack", "Receive count after a redrive")
    dead, sqs = make_queue(), cloud.client("sqs")
    redrive = {"deadLetterTargetArn": queues.arn_of(cloud, dead), "maxReceiveCount": 1}
    url = make_queue(RedrivePolicy=json.dumps(redrive))
    sqs.send_message(QueueUrl=url, MessageBody="x")
    queues.receive(cloud, url, VisibilityTimeout=0)
    assert queues.is_empty(cloud, url)
    sqs.start_message_move_task(SourceArn=queues.arn_of(cloud, dead))
    (message,) = queues.receive(cloud, url)
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"


def test_a_long_poll_ends_with_the_first_message(cloud: Cloud, make_queue: MakeQueue):
    sqs, url = cloud.client("sqs"), make_queue(DelaySeconds="1")
    sqs.send_message(QueueUrl=url, MessageBody="x")
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    began = time.monotonic()
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    assert message["Body"] == "x"
    assert time.monotonic() - began < 5


def test_an_empty_long_poll_waits_its_time(cloud: Cloud, make_queue: MakeQueue):
    began = time.monotonic()
    assert "Messages" not in cloud.client("sqs").receive_message(QueueUrl=make_queue(), WaitTimeSeconds=1)
    assert 0.9 < time.monotonic() - began < 3


def test_a_batch_has_at_most_ten_messages(cloud: Cloud, make_queue: MakeQueue):
    sqs, url = cloud.client("sqs"), make_queue()
    entries = [{"Id": str(number), "MessageBody": "x"} for number in range(11)]
    with pytest.raises(sqs.exceptions.ClientError) as caught:
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert caught.value.response["Error"]["Code"].endswith("TooManyEntriesInBatchRequest")
    sqs.send_message_batch(QueueUrl=url, Entries=entries[:10])
    with pytest.raises(sqs.exceptions.ClientError):
        sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=11)
    found = queues.receive(cloud, url, 10)
    with pytest.raises(sqs.exceptions.ClientError):
        sqs.delete_message_batch(QueueUrl=url, Entries=[])
    answer = sqs.delete_message_batch(
        QueueUrl=url,
        Entries=[{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(found)],
    )
    assert len(answer["Successful"]) == 10


def test_attributes_travel_with_a_message(cloud: Cloud, make_queue: MakeQueue):
    sqs, url = cloud.client("sqs"), make_queue()
    attributes = {"a": {"DataType": "String", "StringValue": "é"}, "b": {"DataType": "Binary", "BinaryValue": b"\0\1"}}
    sent = sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes=attributes)
    (message,) = queues.receive(cloud, url)
    assert message["MessageAttributes"] == attributes
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]


def test_a_queue_is_created_once_and_not_with_other_attributes(cloud: Cloud, make_queue: MakeQueue):
    sqs, url = cloud.client("sqs"), make_queue(VisibilityTimeout="7")
    name = url.rsplit("/", 1)[1]
    assert sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "7"})["QueueUrl"] == url
    with pytest.raises(sqs.exceptions.ClientError):
        sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "8"})


def test_an_emulator_shows_all_messages_and_receives_none(endpoint_url: str, cloud: Cloud, make_queue: MakeQueue):
    sqs, url = cloud.client("sqs"), make_queue()
    assert emulator_api.messages(endpoint_url, url) == []
    for body in ("first", "second", "third"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    sqs.send_message(QueueUrl=url, MessageBody="delayed", DelaySeconds=60)
    queues.receive(cloud, url)
    assert sorted(message["Body"] for message in emulator_api.messages(endpoint_url, url)) == [
        "delayed", "first", "second", "third",
    ]  # fmt: skip
    assert depths(cloud, url) == (2, 1)
