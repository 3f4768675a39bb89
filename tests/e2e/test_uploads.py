"""Uploads that fail: what the user is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner import aws, lambdas, uploads
from runner.backends import Stack
from runner.errors import StackError
from runner.history import History
from runner.submit import submit, submit_message
from runner.supervisor import Stop
from runner.template import StackTemplate


def test_a_large_upload_that_somebody_else_aborts_is_told(
    embedded_stack: Stack, described: StackTemplate, tmp_path: Path
):
    path, s3, bucket = tmp_path / "large.bin", aws.local_s3(embedded_stack.endpoint_url), described.source_bucket
    with path.open("wb") as file:
        file.truncate(40 * 1024 * 1024)

    def abort(_: int) -> None:
        for begun in s3.list_multipart_uploads(Bucket=bucket, Prefix=path.name).get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=path.name, UploadId=begun["UploadId"])

    with pytest.raises(StackError, match=r"Failed to upload .*/large.bin to .*/large.bin: .*NoSuchUpload"):
        uploads.upload(s3, bucket, path.name, path, uploads.sha256_of(path), abort)
    assert aws.object_etag(s3, bucket, path.name) is None


def test_without_an_answer_it_is_told_what_that_means(described: StackTemplate, tmp_path: Path):
    nobody, history = f"http://127.0.0.1:{lambdas.free_port()}", History(tmp_path)
    (tmp_path / "x").touch()
    after = r" not answer: Could not connect to the endpoint URL: .*\. Is the stack starting\? Try again\."
    with pytest.raises(StackError, match="^S3 does" + after):
        submit(aws.local_s3(nobody), described, history, {"x": tmp_path / "x"}, Stop(), print)
    with pytest.raises(StackError, match="^The queue does" + after):
        submit_message(aws.local_sqs(nobody), described, history, "{}", Stop())
    history.close()
