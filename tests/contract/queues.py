"""Shorthands for queues."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.contract.conftest import Cloud


def arn_of(cloud: Cloud, url: str) -> str:
    """Return a queue's ARN."""
    found = cloud.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(found["Attributes"]["QueueArn"])


def allow(cloud: Cloud, url: str, service: str, source: str) -> str:
    """Let a service send to a queue on behalf of a source; return the queue's ARN."""
    arn = arn_of(cloud, url)
    statement = {
        "Effect": "Allow", "Principal": {"Service": service}, "Action": "sqs:SendMessage", "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": source}},
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    cloud.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return arn


def receive(cloud: Cloud, url: str, count: int = 1, patience_s: float = 5.0, **more: Any) -> list[dict[str, Any]]:
    """Receive and return `count` messages, or fewer when the time is over."""
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + patience_s
    while len(found) < count and time.monotonic() < deadline:
        answer = cloud.client("sqs").receive_message(
            QueueUrl=url, MaxNumberOfMessages=min(10, count - len(found)), WaitTimeSeconds=1,
            MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"], **more,
        )  # fmt: skip
        found += answer.get("Messages", [])
    return found


def is_empty(cloud: Cloud, url: str) -> bool:
    """Return whether no message can be received now."""
    return "Messages" not in cloud.client("sqs").receive_message(QueueUrl=url)


def records(cloud: Cloud, url: str, count: int = 1, patience_s: float = 5.0) -> list[dict[str, Any]]:
    """Receive messages of S3, delete them, and return their records in the order of their keys."""
    found = receive(cloud, url, count, patience_s)
    for message in found:
        cloud.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    listed = [record for message in found for record in json.loads(message["Body"]).get("Records", [])]
    return sorted(listed, key=lambda record: record["s3"]["object"]["key"])
