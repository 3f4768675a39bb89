"""Uploads that fail: what the user is told, and that they are tried again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runner.aws import clients
from runner.aws.s3 import object_etag, sha256_of, upload
from runner.cli.submit import submit, submit_message
from runner.errors import StackError
from runner.services.reconciler.classify import Finding, classify
from runner.services.reconciler.repair import opened
from runner.services.watcher.inbox import Inbox
from runner.settings import Settings
from runner.stack import ports
from runner.stack.supervisor import Stop
from runner.state.database import State
from runner.state.uploads import Upload
from runner.template.stack_template import StackTemplate
from runner.testing.stacks import Stack, eventually

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

LARGE = bytes(64 * 1024 * 1024)  # several parts


def abort(s3: S3Client, bucket: str, key: str) -> bool:
    """Abort the large upload of a key, as somebody else could; gives whether there was one."""
    begun = s3.list_multipart_uploads(Bucket=bucket, Prefix=key).get("Uploads", [])
    for item in begun:
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=item["UploadId"])
    return bool(begun)


def test_a_large_upload_that_somebody_else_aborts_is_told(
    embedded_stack: Stack, described: StackTemplate, tmp_path: Path
):
    path, s3, bucket = tmp_path / "large.bin", clients.local_s3(embedded_stack.endpoint_url), described.source_bucket
    path.write_bytes(LARGE)

    def somebody(_: int) -> None:
        abort(s3, bucket, path.name)

    with pytest.raises(StackError, match=r"Failed to upload .*/large.bin to .*/large.bin: .*NoSuchUpload"):
        upload(s3, bucket, path.name, path, sha256_of(path), somebody)
    assert object_etag(s3, bucket, path.name) is None


@contextmanager
def refusing_the_next(s3: S3Client, bucket: str, key: str) -> Iterator[None]:
    """Somebody else aborts the next large upload of this key, which is to happen in the body."""

    def watch() -> None:
        while not over.is_set() and not abort(s3, bucket, key):
            pass

    over, somebody = threading.Event(), threading.Thread(target=watch)
    somebody.start()
    try:
        yield
    finally:
        over.set()
        somebody.join()


def test_a_large_upload_that_is_refused_is_tried_again(embedded_stack: Stack, described: StackTemplate):
    stack, key = embedded_stack, "refused/large.bin"
    with refusing_the_next(clients.local_s3(stack.endpoint_url), described.source_bucket, key):
        stack.put(LARGE, key)
        eventually(lambda: f"✗ {key}: not uploaded, trying again: Failed to upload" in stack.text, "refusal")
    assert stack.final(key).outcome == "skipped"  # it has no route


def test_a_retry_whose_large_upload_is_refused_is_taken_up_again(
    embedded_stack: Stack, described: StackTemplate, tmp_path: Path
):
    endpoint_url, bucket, key = embedded_stack.endpoint_url, described.source_bucket, "lost-and-refused.bin"
    settings = replace(Settings.from_env({}), data=tmp_path, endpoint_url=endpoint_url)
    path, s3 = settings.inbox / key, clients.local_s3(endpoint_url)
    settings.inbox.mkdir(parents=True)
    path.write_bytes(LARGE * 4)  # long enough to be interrupted
    sha256, stamp = sha256_of(path), Inbox(settings.inbox, ()).stamp(key)
    etag = upload(s3, bucket, key, path, sha256)
    s3.delete_object(Bucket=bucket, Key=key)
    assert stamp
    with opened(settings, described, endpoint_url) as reconciler:
        reconciler.state.uploads.put(Upload(key, *stamp, sha256, etag, "a bucket that is lost", 0.0))
        reconciler.state.versions.set_outcome((key, etag), "retried", "retried by a person")

        def lost() -> list[Finding]:
            found = map(classify, reconciler.snapshot().open())
            return [finding for finding in found if finding.key == key and finding.state == "unaccounted"]

        with refusing_the_next(s3, bucket, key), pytest.raises(StackError, match="Failed to upload .*NoSuchUpload"):
            reconciler.repair(lost())
        assert object_etag(s3, bucket, key) is None
        (finding,) = lost()
        assert finding.reason.startswith("was uploaded and is not in the source bucket any more")
        assert reconciler.repair([finding]) == [finding]
        assert object_etag(s3, bucket, key) == etag
        assert lost() == []
    embedded_stack.final(key)  # it saw the object too


def test_without_an_answer_it_is_told_what_that_means(described: StackTemplate, tmp_path: Path):
    nobody, state = f"http://127.0.0.1:{ports.free_port()}", State(tmp_path)
    (tmp_path / "x").touch()
    after = r" not answer: Could not connect to the endpoint URL: .*\. Is the stack starting\? Try again\."
    with pytest.raises(StackError, match="^S3 does" + after):
        submit(clients.local_s3(nobody), described, state, {"x": tmp_path / "x"}, Stop(), print)
    with pytest.raises(StackError, match="^The queue does" + after):
        submit_message(clients.local_sqs(nobody), described, state, "{}", Stop())
    state.close()
