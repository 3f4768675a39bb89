"""The outputs folder shows the newest object of each key, also after the poller was started again."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from runner import aws
from runner.backends import Stack, eventually
from runner.mirror import Mirror

KEY = "data/x.nc"


@pytest.mark.parametrize(("held", "is_fetched"), [(b"older", True), (b"newer", False)])
def test_a_file_of_the_same_second_and_size_is_told_apart(stack: Stack, tmp_path: Path, held: bytes, is_fetched: bool):
    s3, bucket = aws.local_s3(stack.endpoint_url), f"outputs-folder-{is_fetched}".lower()
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"newer")
    second = s3.head_object(Bucket=bucket, Key=KEY)["LastModified"].timestamp()
    path = tmp_path / KEY
    path.parent.mkdir()
    path.write_bytes(held)
    os.utime(path, (second, second))
    before = path.stat()
    look_until(Mirror(s3, bucket, tmp_path), lambda: path.stat().st_mtime != before.st_mtime)
    assert path.read_bytes() == b"newer"
    assert (path.stat().st_ino != before.st_ino) == is_fetched


def look_until(mirror: Mirror, done: Callable[[], bool]) -> None:
    """Run a mirror that has just been started."""
    stop = threading.Event()
    thread = threading.Thread(target=mirror.run, args=(stop,))
    thread.start()
    try:
        eventually(done, "look at the bucket", 10)
    finally:
        stop.set()
        thread.join()
