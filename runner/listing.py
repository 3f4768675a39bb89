"""What is in a bucket, and when it came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


@dataclass(frozen=True)
class Listed:
    """An object as a bucket lists it."""

    key: str
    size: int
    etag: str
    modified: datetime


def listed(
    client: S3Client, bucket_name: str, prefix: str, begin: datetime | None = None, end: datetime | None = None
) -> Iterator[Listed]:
    """The objects below a prefix, in the order of their keys, that came from `begin` on and before `end`."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket_name, Prefix=prefix):
        for item in page.get("Contents", []):
            modified = item["LastModified"]
            is_folder = item["Key"].endswith("/") and item["Size"] == 0
            if not is_folder and (begin is None or begin <= modified) and (end is None or modified < end):
                yield Listed(item["Key"], item["Size"], item["ETag"].strip('"'), modified)
