"""SQS messages on their way into Lambda, and when a failed one comes again. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
