"""`runner notify-eventbridge`: switch on EventBridge for an existing bucket, for `Trigger: existing-bucket`.

CloudFormation cannot change a bucket that it did not create. S3's own call replaces all notifications of a bucket, so
the command reads them first and writes them back ("Enabling Amazon EventBridge", Amazon S3 User Guide).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.cli.deploy import account, existing_bucket
from runner.cli.options import AsJson
from runner.cli.output import print_json, say
from runner.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_SWITCH = "EventBridgeConfiguration"


def notify_eventbridge(
    bucket: Annotated[str, typer.Argument(help="An existing bucket in your AWS account.")],
    as_json: AsJson = False,
) -> None:
    """Switch on EventBridge for an existing bucket.

    The bucket keeps its other notifications. Run this once per bucket, before `scripts/deploy` with the trigger
    existing-bucket: docs/triggers.md. `AWS_PROFILE` and `AWS_REGION` select the account and the region of the stack,
    which must be those of the bucket.

    Example: `runner notify-eventbridge my-instruments`
    """
    kept = switch_on_in_account(bucket)
    if as_json:
        print_json({"bucket": bucket, "changed": kept is not None, "kept_notifications": kept})
    elif kept is None:
        say(f"{bucket} already sends its events to EventBridge; nothing was changed")
    else:
        say(f"{bucket} now sends its events to EventBridge; its {kept} other notifications did not change")


def switch_on_in_account(bucket: str) -> int | None:
    """Do what `switch_on` does, for a bucket of the AWS account that the environment names.

    Raises:
        AwsError: the bucket does not exist, may not be changed, or is in another account or region.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        number, s3, _ = account.services()
        existing_bucket.require_same_owner_and_region(s3, bucket, number, str(boto3.Session().region_name))
        return switch_on(s3, bucket)
    except (ClientError, BotoCoreError) as error:
        raise AwsError(
            f"Notifications of bucket {bucket!r} cannot be changed: {error}. This needs the permissions "
            "s3:GetBucketNotification, s3:PutBucketNotification and s3:ListAllMyBuckets; AWS_PROFILE and AWS_REGION "
            "select account and region."
        ) from error


def switch_on(s3: S3Client, bucket: str) -> int | None:
    """Add EventBridge to a bucket's notifications, and return the number of the others, or None if it was there."""
    found: dict[str, Any] = dict(s3.get_bucket_notification_configuration(Bucket=bucket))
    del found["ResponseMetadata"]
    if _SWITCH in found:
        return None
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={**found, _SWITCH: {}},  # type: ignore[typeddict-item]
        # The others were valid once. S3 would refuse everything if one of their destinations no longer exists.
        SkipDestinationValidation=True,
    )
    return sum(len(entries) for entries in found.values())
