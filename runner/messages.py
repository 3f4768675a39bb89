"""SQS messages on their way into Lambda, and when a failed one comes again. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from runner import aws

_RETRY_FIRST_S = 1
_RETRY_MOST_S = 30


def retry_wait_s(attempt: int) -> int:
    """1, 2, 4 … seconds after the first, second, third … attempt."""
    return min(_RETRY_MOST_S, _RETRY_FIRST_S << (attempt - 1))


def sqs_event(batch: Sequence[Mapping[str, Any]], queue_name: str) -> dict[str, Any]:
    """The event that Lambda makes of a batch of SQS messages ("Using Lambda with Amazon SQS")."""
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
                "eventSourceARN": f"arn:aws:sqs:{aws.REGION}:{aws.ACCOUNT}:{queue_name}",
                "awsRegion": aws.REGION,
            }
            for message in batch
        ]
    }


def object_event(bucket: str, key: str, etag: str) -> str:
    """The body of the message that S3 sends of a new object, for an object whose own message is gone."""
    entity = {"bucket": {"name": bucket}, "object": {"key": quote(key), "eTag": etag}}
    record = {"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": entity}
    return json.dumps({"Records": [record]})
