"""Uploads files, lists objects, and compares objects with files by their content."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import StackError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

_MULTIPART_BYTES = 16 * 1024 * 1024


def sha256_of(path: Path) -> str:
    """Return the checksum of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def upload(
    client: S3Client,
    bucket_name: str,
    key: str,
    path: Path,
    sha256: str,
    on_bytes: Callable[[int], object] = lambda count: None,
) -> str:
    """Upload a file, a large one in parts, and return the object's ETag.

    Args:
        client: S3.
        bucket_name: the bucket.
        key: the object's key.
        path: the file.
        sha256: of its content.
        on_bytes: called for a large file, from several threads, with the number of bytes just uploaded.

    Raises:
        StackError: S3 refused a part of a large file.
        botocore.exceptions.ClientError: S3 refused the file.
    """
    metadata = {"sha256": sha256}
    if path.stat().st_size < _MULTIPART_BYTES:
        with path.open("rb") as file:
            return client.put_object(Bucket=bucket_name, Key=key, Body=file, Metadata=metadata)["ETag"].strip('"')
    from boto3.exceptions import S3UploadFailedError
    from boto3.s3.transfer import TransferConfig

    for unfinished in client.list_multipart_uploads(Bucket=bucket_name, Prefix=key).get("Uploads", []):
        if unfinished["Key"] == key:  # left by a killed process; its parts would stay in the bucket
            client.abort_multipart_upload(Bucket=bucket_name, Key=key, UploadId=unfinished["UploadId"])
    config = TransferConfig(multipart_threshold=_MULTIPART_BYTES, multipart_chunksize=_MULTIPART_BYTES)
    extra = {"Metadata": metadata}
    try:
        client.upload_file(str(path), bucket_name, key, ExtraArgs=extra, Config=config, Callback=on_bytes)
    except S3UploadFailedError as error:
        raise StackError(str(error)) from error
    return client.head_object(Bucket=bucket_name, Key=key)["ETag"].strip('"')


def etag_of(client: S3Client, bucket_name: str, key: str, sha256: str) -> str | None:
    """Return the ETag of an object if it was uploaded with this content, else None."""
    from botocore.exceptions import ClientError

    try:
        found = client.head_object(Bucket=bucket_name, Key=key)
    except ClientError:
        return None
    return found["ETag"].strip('"') if found["Metadata"].get("sha256") == sha256 else None


@dataclass(frozen=True)
class ListedObject:
    """An object in the list of a bucket; `size` in bytes."""

    key: str
    size: int
    etag: str
    modified: datetime


def list_objects(
    client: S3Client, bucket_name: str, prefix: str, begin: datetime | None = None, end: datetime | None = None
) -> Iterator[ListedObject]:
    """Yield the objects below a prefix, ordered by key, last modified at or after `begin` and before `end`."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket_name, Prefix=prefix):
        for item in page.get("Contents", []):
            modified = item["LastModified"]
            is_folder = item["Key"].endswith("/") and item["Size"] == 0
            if not is_folder and (begin is None or begin <= modified) and (end is None or modified < end):
                yield ListedObject(item["Key"], item["Size"], item["ETag"].strip('"'), modified)


# A tag on the source bucket with a random value. It differs after a restart of the emulator, which loses all buckets.
EPOCH_TAG = "epoch"


def bucket_epoch(client: S3Client, bucket_name: str) -> str | None:
    """Return the value of a local bucket's epoch tag; None if the bucket is missing or not yet complete."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        tags = client.get_bucket_tagging(Bucket=bucket_name)["TagSet"]
    except (ClientError, BotoCoreError):
        return None
    return next((tag["Value"] for tag in tags if tag["Key"] == EPOCH_TAG), None)


def object_etag(client: S3Client, bucket_name: str, key: str) -> str | None:
    """Return the ETag of an object; None if there is no such object."""
    found = head(client, bucket_name, key)
    return found["ETag"].strip('"') if found else None


def head(client: S3Client, bucket_name: str, key: str) -> HeadObjectOutputTypeDef | None:
    """Return the metadata of an object; None if there is no such object."""
    from botocore.exceptions import ClientError

    try:
        return client.head_object(Bucket=bucket_name, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "403"):  # 403: missing, if the role may not list
            return None
        raise
