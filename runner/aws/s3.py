"""Puts files into a bucket, and tells by their content whether they are there."""

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
    """The checksum by which contents are told apart."""
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
    """Put a file into a bucket, a large one in parts; gives the object's ETag.

    Args:
        client: S3.
        bucket_name: the bucket.
        key: the object's key.
        path: the file.
        sha256: of its content.
        on_bytes: told of a large file, from several threads, how many more bytes are through.

    Raises:
        StackError: S3 did not take a part of a large file.
        botocore.exceptions.ClientError: S3 did not take the file.
    """
    metadata = {"sha256": sha256}
    if path.stat().st_size < _MULTIPART_BYTES:
        with path.open("rb") as file:
            return client.put_object(Bucket=bucket_name, Key=key, Body=file, Metadata=metadata)["ETag"].strip('"')
    from boto3.exceptions import S3UploadFailedError
    from boto3.s3.transfer import TransferConfig

    for begun in client.list_multipart_uploads(Bucket=bucket_name, Prefix=key).get("Uploads", []):
        if begun["Key"] == key:  # by a process that was killed; its parts would stay in the bucket
            client.abort_multipart_upload(Bucket=bucket_name, Key=key, UploadId=begun["UploadId"])
    config = TransferConfig(multipart_threshold=_MULTIPART_BYTES, multipart_chunksize=_MULTIPART_BYTES)
    extra = {"Metadata": metadata}
    try:
        client.upload_file(str(path), bucket_name, key, ExtraArgs=extra, Config=config, Callback=on_bytes)
    except S3UploadFailedError as error:
        raise StackError(str(error)) from error
    return client.head_object(Bucket=bucket_name, Key=key)["ETag"].strip('"')


def etag_of(client: S3Client, bucket_name: str, key: str, sha256: str) -> str | None:
    """The ETag of an object if it was uploaded with this content, else None."""
    from botocore.exceptions import ClientError

    try:
        found = client.head_object(Bucket=bucket_name, Key=key)
    except ClientError:
        return None
    return found["ETag"].strip('"') if found["Metadata"].get("sha256") == sha256 else None


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


# A tag on the source bucket that names its life: LocalStack forgets everything, and a new bucket gets a new epoch.
EPOCH_TAG = "epoch"


def bucket_epoch(client: S3Client, bucket_name: str) -> str | None:
    """The life of a local bucket, or None when it is not there or not yet complete."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        tags = client.get_bucket_tagging(Bucket=bucket_name)["TagSet"]
    except (ClientError, BotoCoreError):
        return None
    return next((tag["Value"] for tag in tags if tag["Key"] == EPOCH_TAG), None)


def object_etag(client: S3Client, bucket_name: str, key: str) -> str | None:
    """The ETag of an object; None when there is none."""
    found = head(client, bucket_name, key)
    return found["ETag"].strip('"') if found else None


def head(client: S3Client, bucket_name: str, key: str) -> HeadObjectOutputTypeDef | None:
    """What S3 tells of an object without its content; None when there is none."""
    from botocore.exceptions import ClientError

    try:
        return client.head_object(Bucket=bucket_name, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "403"):  # without the right to list, a missing object gives 403
            return None
        raise
