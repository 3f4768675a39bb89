"""The outputs folder shows the newest object of each key, also after the poller was started again."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from runner.state.outputs import RESTORED

from runner.aws import clients
from runner.aws.s3 import EPOCH_TAG
from runner.services.output_mirror import Mirror
from runner.stack import ports
from runner.testing.stacks import Stack, eventually

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

KEY = "data/x.nc"


@pytest.mark.parametrize(("held", "is_fetched"), [(b"older", True), (b"newer", False)])
def test_a_file_of_the_same_second_and_size_is_told_apart(s3: S3Client, tmp_path: Path, held: bytes, is_fetched: bool):
    bucket = made(s3, f"outputs-folder-{is_fetched}".lower())
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


@pytest.fixture
def s3(stack: Stack) -> S3Client:
    return clients.local_s3(stack.endpoint_url)


def made(s3: S3Client, name: str) -> str:
    """A new bucket."""
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    return name


def test_a_file_is_as_old_as_the_question_for_it(s3: S3Client, tmp_path: Path):
    """What is stored while it is fetched must not seem to be in it."""
    bucket, answered = made(s3, "slowly"), []
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"old")
    s3.meta.events.register("after-call.s3.GetObject", lambda **_: answered.append(time.time()))
    look_until(Mirror(s3, bucket, tmp_path), (tmp_path / KEY).is_file)
    assert (tmp_path / KEY).stat().st_mtime < answered[0]


def test_runs_may_read_when_all_is_back(s3: S3Client, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    source, bucket = made(s3, "source-of-all"), made(s3, "all-is-back")
    (tmp_path / "data").mkdir()
    (tmp_path / KEY).write_bytes(b"x")
    Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.nc")).touch()  # S3 takes no such name
    os.utime(tmp_path / KEY, (1000, 1000))
    (tmp_path / "a").symlink_to("/proc/sys/vm/compact_memory")  # which nobody may read, nor root
    mirror, stop = Mirror(s3, bucket, tmp_path), threading.Event()
    assert not mirror.is_complete(source)
    restoring = threading.Thread(target=mirror.restore, args=(source, stop))
    restoring.start()
    try:
        s3.put_bucket_tagging(Bucket=source, Tagging={"TagSet": [{"Key": EPOCH_TAG, "Value": "1"}]})
        eventually(lambda: mirror.is_complete(source), "all that the folder had", 10)
    finally:
        stop.set()
        restoring.join()
    assert s3.head_object(Bucket=bucket, Key=KEY)["Metadata"] == {RESTORED: str(1000 * 10**9)}
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    assert "a is not put back into all-is-back: [Errno 13] Permission denied" in caplog.text
    s3.delete_object(Bucket=bucket, Key=KEY)
    s3.delete_bucket(Bucket=bucket)
    assert mirror.is_complete(source)  # the run fails then, and says why
    nobody = clients.local_s3(f"http://127.0.0.1:{ports.free_port()}")
    assert not Mirror(nobody, bucket, tmp_path).is_complete(source)


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
