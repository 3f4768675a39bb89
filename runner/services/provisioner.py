"""Makes in the local S3 and SQS what template.yaml makes on AWS. Safe to run again: it only adds what is missing."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from runner.aws import clients
from runner.aws.s3 import EPOCH_TAG, bucket_epoch
from runner.template.stack_template import StackTemplate

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sqs.client import SQSClient

# Where S3's calls have other words than CloudFormation.
_DEFAULT_ENCRYPTION = {"ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault"}
_RULE_ID = {"Id": "ID"}


def provision(s3: S3Client, sqs: SQSClient, template: StackTemplate) -> None:
    """Make buckets, queues and the notification between them.

    The source bucket is made last and with a tag that names its life (its epoch): when it is there, all is there.
    LocalStack forgets everything when it stops; a watcher that meets a new epoch uploads again what was lost.
    """
    _make_queues(sqs, template)
    incomplete = not bucket_epoch(s3, template.source_bucket)
    if _make_bucket(s3, template.destination_bucket) or incomplete:
        _configure(s3, template.destination_bucket, template)
    if _make_bucket(s3, template.source_bucket) or incomplete:
        _notify(s3, template)
        _configure(s3, template.source_bucket, template, {"Key": EPOCH_TAG, "Value": uuid.uuid4().hex})


def _make_queues(sqs: SQSClient, template: StackTemplate) -> None:
    """The dead-letter queue first: the other points at it."""
    for name in (template.dead_letter_queue_name, template.queue_name):
        attributes: Any = template.queue_attributes[name]
        sqs.create_queue(QueueName=name, Attributes=attributes)


def _arn(queue_name: str) -> str:
    return f"arn:aws:sqs:{clients.REGION}:{clients.ACCOUNT}:{queue_name}"


def _make_bucket(s3: S3Client, name: str) -> bool:
    """Whether the bucket had to be made."""
    try:
        s3.head_bucket(Bucket=name)
    except ClientError:
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": clients.REGION})  # type: ignore[typeddict-item]
        return True
    return False


def _configure(s3: S3Client, bucket: str, template: StackTemplate, *more_tags: dict[str, str]) -> None:
    """Give a bucket what CloudFormation would, in the words of S3's own calls; the tags last."""
    set_: Any = s3  # what CloudFormation says has the form that boto3's types ask for, but not the types
    settings = template.bucket_settings[bucket]
    if versioning := settings.get("VersioningConfiguration"):
        set_.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versioning)
    if encryption := settings.get("BucketEncryption"):
        rules = [_renamed(rule, _DEFAULT_ENCRYPTION) for rule in encryption["ServerSideEncryptionConfiguration"]]
        set_.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})
    if private := settings.get("PublicAccessBlockConfiguration"):
        set_.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=private)
    if ownership := settings.get("OwnershipControls"):
        set_.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=ownership)
    if lifecycle := settings.get("LifecycleConfiguration"):
        rules = [{"Filter": {"Prefix": ""}, **_renamed(rule, _RULE_ID)} for rule in lifecycle["Rules"]]
        set_.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    if policy := settings.get("Policy"):
        set_.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    if tags := [*settings.get("Tags", []), *more_tags]:
        set_.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})


def _renamed(mapping: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in mapping.items()}


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
