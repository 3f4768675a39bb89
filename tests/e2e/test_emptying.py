"""Count the objects of a bucket and empty it, with the real S3 API."""

from __future__ import annotations

import uuid

import pytest
from mypy_boto3_s3.client import S3Client

from runner.aws import clients
from runner.cli.deploy import bucket_cleanup
from runner.cli.deploy.bucket_cleanup import Content
from tests.support.stacks import Supervised


@pytest.fixture
def s3(embedded_stack: Supervised) -> S3Client:
    """Return an S3 client of the shared stack."""
    return clients.local_s3(embedded_stack.endpoint_url)


@pytest.fixture
def bucket(s3: S3Client) -> str:
    """Create a versioned bucket with three files, one of them stored twice, and a deleted one."""
    name = f"emptying-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for key, body in (("a", b"old"), ("a", b"newer"), ("b", b"b"), ("c d+é", b"c"), ("gone", b"gone!")):
        s3.put_object(Bucket=name, Key=key, Body=body)
    s3.delete_object(Bucket=name, Key="gone")
    return name


def test_current_and_older_versions_are_counted(s3: S3Client, bucket: str):
    assert bucket_cleanup.content(s3, bucket) == Content(files=3, size=7, older=2, older_size=8)


def test_all_versions_and_delete_markers_are_removed(s3: S3Client, bucket: str):
    assert bucket_cleanup.empty(s3, bucket, 2) == 6  # five versions and a delete marker; two per request
    assert bucket_cleanup.content(s3, bucket) == Content()
    s3.delete_bucket(Bucket=bucket)
    assert not bucket_cleanup.exists(s3, bucket)
    assert bucket_cleanup.empty(s3, unversioned_bucket(s3)) == 1


def unversioned_bucket(s3: S3Client) -> str:
    """Create a bucket without versioning that holds one file."""
    name = f"plain-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    s3.put_object(Bucket=name, Key="a", Body=b"a")
    return name


def test_counts_are_printed_with_units():
    assert str(Content(files=1, size=160_000)) == "1 file, 0.2 MB"
    assert str(Content(48, 10_200_000, 3, 400_000)) == "48 files, 10.2 MB; 3 older versions, 0.4 MB"
