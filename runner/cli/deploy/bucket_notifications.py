"""Has an existing bucket send its events to EventBridge too, for `Trigger: existing-bucket`; docs/triggers.md.

CloudFormation cannot change a bucket that it did not make. S3's own call replaces all of a bucket's notifications, so
what is there is read first and written back with it ("Enabling Amazon EventBridge", Amazon S3 User Guide).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from runner.aws import clients
from runner.cli.output import say
from runner.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_SWITCH = "EventBridgeConfiguration"


def notify(bucket: str) -> None:
    """Switch it on for a bucket of the AWS account that the environment names, and say what was kept.

    Raises:
        AwsError: the bucket is not there, or may not be changed.
    """
    try:
        kept = switch_on(clients.s3(), bucket)
    except (ClientError, BotoCoreError) as error:
        raise AwsError(
            f"Notifications of bucket {bucket!r} cannot be changed: {error}. It takes the rights "
            "s3:GetBucketNotification and s3:PutBucketNotification; AWS_PROFILE and AWS_REGION say as who and where."
        ) from error
    if kept is None:
        say(f"{bucket} sends its events to EventBridge already; nothing was changed")
    else:
        say(f"{bucket} now sends its events to EventBridge; its {kept} other notifications are as they were")


def switch_on(s3: S3Client, bucket: str) -> int | None:
    """Add EventBridge to a bucket's notifications; gives the number of the others, or None if it was there."""
    found: dict[str, Any] = dict(s3.get_bucket_notification_configuration(Bucket=bucket))
    del found["ResponseMetadata"]
    if _SWITCH in found:
        return None
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={**found, _SWITCH: {}},  # type: ignore[typeddict-item]
        # The others were valid once. S3 would refuse everything if one of them leads to what is gone by now.
        SkipDestinationValidation=True,
    )
    return sum(len(entries) for entries in found.values())
