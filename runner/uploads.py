"""Puts files into a bucket, and tells by their content whether they are there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import StackError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

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
