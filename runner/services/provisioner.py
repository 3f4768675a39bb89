"""Creates the buckets and queues of template.yaml in the emulator. Idempotent: it only adds what is missing."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from runner.aws import clients
from runner.aws.s3 import EPOCH_TAG, bucket_epoch
from runner.services import triggers
from runner.services.role_credentials import RoleCredentials
from runner.template.stack_template import StackTemplate

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sqs.client import SQSClient

# Names that differ between CloudFormation and the S3 API.
_DEFAULT_ENCRYPTION = {"ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault"}
_RULE_ID = {"Id": "ID"}


def provision(
    s3: S3Client,
    sqs: SQSClient,
    template: StackTemplate,
    client: Callable[[str], Any] | None = None,
    credentials: RoleCredentials | None = None,
) -> None:
    """Create the function's role, the buckets, the queues and what sends the events of one to the other.

    Args:
        client: returns a client of a service, if the emulator has EventBridge and SNS. Without it, S3 notifies the
            queue directly, whatever the template's trigger is.
        credentials: those of the role, if the emulator enforces it. They are issued first, so that no file arrives
            for a Lambda whose credentials the emulator does not know.

    The emulator loses everything when it stops. Therefore the source bucket gets a tag with a new random value, its
    epoch; a watcher that finds a new epoch uploads lost files again. The tag is set last, so it also marks that
    provisioning is complete.
    """
    if credentials:
        credentials.issue()
    _create_queues(sqs, template)
    incomplete = not bucket_epoch(s3, template.source_bucket)
    if _create_bucket(s3, template.destination_bucket) or incomplete:
        _configure(s3, template.destination_bucket, template)
    if _create_bucket(s3, template.source_bucket) or incomplete:
        triggers.connect(s3, template, client)
        _configure(s3, template.source_bucket, template, {"Key": EPOCH_TAG, "Value": uuid.uuid4().hex})


def _create_queues(sqs: SQSClient, template: StackTemplate) -> None:
    """Create the dead-letter queue first: the other queue refers to it."""
    for name in (template.dead_letter_queue_name, template.queue_name):
        attributes: Any = triggers.with_local_topic(template, template.queue_attributes[name])
        sqs.create_queue(QueueName=name, Attributes=attributes)


def _create_bucket(s3: S3Client, name: str) -> bool:
    """Create a bucket if it is missing; return whether it was."""
    try:
        s3.head_bucket(Bucket=name)
    except ClientError:
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": clients.REGION})  # type: ignore[typeddict-item]
        return True
    return False


def _configure(s3: S3Client, bucket: str, template: StackTemplate, *more_tags: dict[str, str]) -> None:
    """Apply a bucket's settings as CloudFormation would, the tags last."""
    untyped: Any = s3  # CloudFormation's values have the form that boto3 requires, but not its TypedDict types
    settings = template.bucket_settings[bucket]
    if versioning := settings.get("VersioningConfiguration"):
        untyped.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versioning)
    if encryption := settings.get("BucketEncryption"):
        rules = [_rename_keys(rule, _DEFAULT_ENCRYPTION) for rule in encryption["ServerSideEncryptionConfiguration"]]
        untyped.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})
    if private := settings.get("PublicAccessBlockConfiguration"):
        untyped.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=private)
    if ownership := settings.get("OwnershipControls"):
        untyped.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=ownership)
    if lifecycle := settings.get("LifecycleConfiguration"):
        rules = [{"Filter": {"Prefix": ""}, **_rename_keys(rule, _RULE_ID)} for rule in lifecycle["Rules"]]
        untyped.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    if policy := settings.get("Policy"):
        untyped.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    if tags := [*settings.get("Tags", []), *more_tags]:
        untyped.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})


def _rename_keys(mapping: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in mapping.items()}
