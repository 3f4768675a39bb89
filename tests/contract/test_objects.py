"""What S3 does with objects: the Amazon S3 API reference."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from tests.contract.conftest import Cloud
from tests.contract.test_notifications import ODD_KEYS

PAGE = 4


def test_every_key_is_stored_under_its_name(cloud: Cloud, bucket: str):
    s3 = cloud.client("s3")
    for key in ODD_KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    for key in ODD_KEYS:
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
        assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == len(key.encode())


def test_pages_of_a_list_are_complete_and_in_order(cloud: Cloud, bucket: str):
    """As the runner lists: without URL encoding, which XML allows for all keys without control characters."""
    s3 = cloud.client("s3")
    keys = [
        key for key in (*ODD_KEYS, *(f"n {n}" for n in range(12)), *(f"n/{n}" for n in range(6))) if "\t" not in key
    ]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": PAGE})
    listed = [[item["Key"] for item in page.get("Contents", [])] for page in pages]
    assert [len(page) for page in listed[:-1]] == [PAGE] * (len(listed) - 1)
    assert [key for page in listed for key in page] == sorted(keys, key=str.encode)


def test_a_conditional_put_stores_only_a_new_object(cloud: Cloud, bucket: str):
    s3 = cloud.client("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")
    with pytest.raises(s3.exceptions.ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    assert caught.value.response["Error"]["Code"] == "PreconditionFailed"
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"


def test_a_conditional_put_replaces_only_the_named_content(cloud: Cloud, bucket: str):
    s3 = cloud.client("s3")
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=tag)
    with pytest.raises(s3.exceptions.ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfMatch=tag)
    assert caught.value.response["Error"]["Code"] == "PreconditionFailed"


def test_an_etag_is_the_md5_of_the_content(cloud: Cloud, bucket: str):
    s3, wanted = cloud.client("s3"), f'"{hashlib.md5(b"abc").hexdigest()}"'
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"abc")["ETag"] == wanted
    assert s3.head_object(Bucket=bucket, Key="k")["ETag"] == wanted
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["ETag"] == wanted


def test_a_wrong_checksum_is_refused(cloud: Cloud, bucket: str):
    s3 = cloud.client("s3")
    with pytest.raises(s3.exceptions.ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="k", Body=b"abc", ChecksumSHA256="A" * 43 + "=")
    assert caught.value.response["Error"]["Code"] in ("BadDigest", "InvalidRequest")


def test_metadata_and_last_modified_are_kept(cloud: Cloud, bucket: str):
    s3 = cloud.client("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"", Metadata={"mtime": "1.5"})
    head = s3.head_object(Bucket=bucket, Key="k")
    assert head["Metadata"] == {"mtime": "1.5"}
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"][0]["LastModified"]
    assert head["LastModified"] == listed.replace(microsecond=0)


def test_versions_are_kept_and_listed_newest_first(cloud: Cloud, bucket: str):
    s3 = cloud.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    made = [s3.put_object(Bucket=bucket, Key="a b", Body=body)["VersionId"] for body in (b"1", b"2")]
    found = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [one["VersionId"] for one in found] == made[::-1]
    assert [one["IsLatest"] for one in found] == [True, False]
    assert s3.get_object(Bucket=bucket, Key="a b", VersionId=made[0])["Body"].read() == b"1"


def test_a_missing_object_and_bucket_have_their_codes(cloud: Cloud, bucket: str):
    s3 = cloud.client("s3")
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=bucket, Key="none")
    with pytest.raises(s3.exceptions.NoSuchBucket):
        s3.list_objects_v2(Bucket=cloud.unique())


def test_a_key_of_more_than_1024_bytes_is_refused(cloud: Cloud, bucket: str, differs: Callable[[str, str], None]):
    differs("ministack", "Length of keys")
    s3 = cloud.client("s3")
    with pytest.raises(s3.exceptions.ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="é" * 513, Body=b"")
    assert caught.value.response["Error"]["Code"] == "KeyTooLongError"
