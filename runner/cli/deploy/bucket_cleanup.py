"""Count and delete the contents of a bucket, including older versions, for `scripts/undeploy`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from runner.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_MOST_AT_ONCE = 1000  # S3 deletes no more with one call


@dataclass(frozen=True)
class Content:
    """The contents of a bucket; sizes in bytes. `older` counts versions that a newer one or a deletion replaced."""

    files: int = 0
    size: int = 0
    older: int = 0
    older_size: int = 0

    def __str__(self) -> str:
        """Return a text such as '48 files, 10.2 MB; 3 older versions, 0.4 MB'."""
        text = f"{self.files} {'file' if self.files == 1 else 'files'}, {self.size / 1e6:.1f} MB"
        if self.older:
            text += (
                f"; {self.older} older {'version' if self.older == 1 else 'versions'}, {self.older_size / 1e6:.1f} MB"
            )
        return text


def exists(s3: S3Client, bucket: str) -> bool:
    """Whether a bucket exists.

    Raises:
        ClientError: access is denied.
    """
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        raise
    return True


def content(s3: S3Client, bucket: str) -> Content:
    """Count what is in a bucket."""
    files = size = older = older_size = 0
    for page in _pages(s3, bucket):
        for version in page.get("Versions", []):
            if version["IsLatest"]:
                files, size = files + 1, size + version["Size"]
            else:
                older, older_size = older + 1, older_size + version["Size"]
    return Content(files, size, older, older_size)


def empty(s3: S3Client, bucket: str, at_once: int = _MOST_AT_ONCE) -> int:
    """Delete all versions and delete markers, and return their number.

    Raises:
        AwsError: S3 cannot delete one of them; the text says which and why.
    """
    deleted = 0
    for page in _pages(s3, bucket, at_once):
        found = [
            {"Key": entry["Key"], "VersionId": entry["VersionId"]}
            for kind in ("Versions", "DeleteMarkers")
            for entry in page.get(kind, [])
        ]
        if not found:
            continue
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": found, "Quiet": True})  # type: ignore[typeddict-item]
        for error in answer.get("Errors", []):
            raise AwsError(
                f"{bucket}/{error['Key']} cannot be deleted: {error['Message']} {deleted} versions are deleted, the "
                "others remain. Fix that and run the same command again."
            )
        deleted += len(found)
    return deleted


def _pages(s3: S3Client, bucket: str, at_once: int = _MOST_AT_ONCE) -> Iterator[Any]:
    yield from s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": at_once})
