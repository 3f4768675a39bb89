"""Makes in the local S3 and SQS what template.yaml makes on AWS. Safe to run again: it only adds what is missing."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from runner import aws
from runner.template import StackTemplate

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sqs.client import SQSClient


def provision(s3: S3Client, sqs: SQSClient, template: StackTemplate) -> None:
    """Make buckets, queues and the notification between them.

    The source bucket is made last and with a tag that names its life (its epoch): when it is there, all is there.
    LocalStack forgets everything when it stops; a watcher that meets a new epoch uploads again what was lost.
    """
    _make_queues(sqs, template)
    _make_bucket(s3, template.destination_bucket)
    if _make_bucket(s3, template.source_bucket) or not aws.bucket_epoch(s3, template.source_bucket):
        _notify(s3, template)
        tags = {"TagSet": [{"Key": aws.EPOCH_TAG, "Value": uuid.uuid4().hex}]}
        s3.put_bucket_tagging(Bucket=template.source_bucket, Tagging=tags)  # type: ignore[arg-type]


def _make_queues(sqs: SQSClient, template: StackTemplate) -> None:
    retention: dict[Any, str] = {"MessageRetentionPeriod": str(template.message_retention_s)}
    sqs.create_queue(QueueName=template.dead_letter_queue_name, Attributes=retention)
    redrive = {
        "deadLetterTargetArn": _arn(template.dead_letter_queue_name),
        "maxReceiveCount": template.max_receive_count,
    }
    sqs.create_queue(
        QueueName=template.queue_name,
        Attributes={
            **retention,
            "VisibilityTimeout": str(template.visibility_timeout_s),
            "RedrivePolicy": json.dumps(redrive),
        },
    )


def _arn(queue_name: str) -> str:
    return f"arn:aws:sqs:{aws.REGION}:{aws.ACCOUNT}:{queue_name}"


def _make_bucket(s3: S3Client, name: str) -> bool:
    """Whether the bucket had to be made."""
    try:
        s3.head_bucket(Bucket=name)
    except ClientError:
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": aws.REGION})  # type: ignore[typeddict-item]
        return True
    return False


def _notify(s3: S3Client, template: StackTemplate) -> None:
    rules = [
        {"Name": name, "Value": value}
        for name, value in (("prefix", template.filter_prefix), ("suffix", template.filter_suffix))
        if value
    ]
    configuration: dict[str, Any] = {
        "QueueArn": _arn(template.queue_name),
        "Events": list(template.notification_events),
    }
    if rules:
        configuration["Filter"] = {"Key": {"FilterRules": rules}}
    s3.put_bucket_notification_configuration(
        Bucket=template.source_bucket,
        NotificationConfiguration={"QueueConfigurations": [configuration]},  # type: ignore[list-item]
    )
