"""Owner and region of a bucket, for `Trigger: existing-bucket`.

S3 sends a bucket's events to EventBridge in the bucket's own region and account, and a stack elsewhere receives none of
them, without an error ("Using EventBridge", Amazon S3 User Guide).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_REGION_HEADER = "x-amz-bucket-region"


def require_same_owner_and_region(s3: S3Client, bucket: str, account: str, region: str) -> None:
    """Check that a stack in this account and region would receive the bucket's events.

    Raises:
        AwsError: it would not. The text says what to do.
        botocore.exceptions.ClientError: the bucket does not exist, or its notifications may not be read.
    """
    s3.get_bucket_notification_configuration(Bucket=bucket)
    found = _region_of(s3, bucket)
    if found and found != region:
        raise AwsError(
            f"Bucket {bucket!r} is in {found}, and not in {region}: S3 sends its events to EventBridge in {found} "
            f"only. Deploy the stack there (region in samconfig.toml) and use AWS_REGION={found}. Nothing was changed."
        )
    if not _is_own(s3, bucket):
        raise AwsError(
            f"Bucket {bucket!r} does not belong to account {account}: S3 sends its events to EventBridge in its "
            "owner's account, and a stack in yours receives none. Have the owner send them to an SNS topic, and deploy "
            "with Trigger=sns-topic (docs/triggers.md). Nothing was changed."
        )


def _region_of(s3: S3Client, bucket: str) -> str | None:
    """Return the bucket's region; None if S3 does not say, as some emulators."""
    from botocore.exceptions import ClientError

    try:
        headers = s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"]
    except ClientError as error:  # S3 names the region even if the caller may not list the bucket
        headers = error.response["ResponseMetadata"]["HTTPHeaders"]
    return headers.get(_REGION_HEADER)


def _is_own(s3: S3Client, bucket: str) -> bool:
    """Return whether a bucket belongs to the caller's account: S3 lists only these."""
    pages = s3.get_paginator("list_buckets").paginate(Prefix=bucket)
    return any(one["Name"] == bucket for page in pages for one in page.get("Buckets", []))
