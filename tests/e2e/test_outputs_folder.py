"""The outputs folder and the destination bucket: copies, restores, and what is neither."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from runner.aws import clients
from runner.aws.s3 import EPOCH_TAG
from runner.services import output_mirror
from runner.services.output_mirror import OutputMirror
from runner.stack import ports
from runner.testing.stacks import Stack, eventually

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

KEY = "data/x.nc"


@pytest.fixture
def s3(stack: Stack) -> S3Client:
    return clients.local_s3(stack.endpoint_url)


class Buckets:
    """A source and a destination bucket of the test's own."""

    def __init__(self, s3: S3Client) -> None:
        self.s3, name = s3, uuid.uuid4().hex
        self.source, self.destination = f"source-{name}", f"destination-{name}"
        for bucket in (self.source, self.destination):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})

    def provision(self, epoch: str = "1") -> None:
        """Tag the source bucket, as the provisioner does last."""
        self.s3.put_bucket_tagging(Bucket=self.source, Tagging={"TagSet": [{"Key": EPOCH_TAG, "Value": epoch}]})

    def put(self, key: str, content: bytes) -> None:
        self.s3.put_object(Bucket=self.destination, Key=key, Body=content)

    def keys(self) -> list[str]:
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket=self.destination).get("Contents", [])]

    def mirror(self, folder: Path) -> OutputMirror:
        return OutputMirror(self.s3, self.destination, folder, self.source)


@pytest.fixture
def buckets(s3: S3Client) -> Buckets:
    return Buckets(s3)


@contextmanager
def running(mirror: OutputMirror) -> Iterator[None]:
    """Run a mirror's thread during the body."""
    stop = threading.Event()
    thread = threading.Thread(target=mirror.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def write(folder: Path, key: str, content: bytes) -> Path:
    path = folder / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_copy_replaces_the_file_at_once(buckets: Buckets, tmp_path: Path):
    """A reader of the old file keeps it, and no unfinished file remains."""
    mirror, path = buckets.mirror(tmp_path), write(tmp_path, KEY, b"old")
    buckets.put(KEY, b"new" * 1_000_000)
    with path.open("rb") as reader:
        mirror.copy([KEY, KEY])
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new" * 1_000_000
    assert list(tmp_path.rglob("*")) == [tmp_path / "data", path]


def test_a_failed_copy_leaves_the_file_as_it_was(buckets: Buckets, tmp_path: Path):
    mirror, path = buckets.mirror(tmp_path), write(tmp_path, KEY, b"old")
    with pytest.raises(ClientError):
        mirror.copy([KEY])
    assert path.read_bytes() == b"old"
    buckets.put("data/x.nc/below", b"x")
    with pytest.raises(OSError):
        mirror.copy(["data/x.nc/below"])  # a file is in the way
    assert path.read_bytes() == b"old"


def test_concurrent_copies_of_one_key_end_with_the_newest(buckets: Buckets, tmp_path: Path):
    """The first copy has its content already when a newer one is stored; it must not be written last."""
    mirror, is_read, may_write = buckets.mirror(tmp_path), threading.Event(), threading.Event()

    def hold_the_first(**_: object) -> None:
        if not is_read.is_set():
            is_read.set()
            may_write.wait(10)

    buckets.put(KEY, b"old")
    buckets.s3.meta.events.register("after-call.s3.GetObject", hold_the_first)
    first, second = (threading.Thread(target=mirror.copy, args=([KEY],)) for _ in range(2))
    first.start()
    assert is_read.wait(10)
    buckets.put(KEY, b"new")
    second.start()
    second.join(0.5)
    may_write.set()
    first.join()
    second.join()
    assert (tmp_path / KEY).read_bytes() == b"new"


@pytest.mark.parametrize(("content", "is_copied"), [(b"older", True), (b"newer", False), (None, True)])
def test_a_listing_copies_what_the_folder_does_not_have(
    buckets: Buckets, tmp_path: Path, content: bytes | None, is_copied: bool
):
    """Also when the file has the size and the time of the object."""
    buckets.put(KEY, b"newer")
    before = 0
    if content:
        path = write(tmp_path, KEY, content)
        modified = buckets.s3.head_object(Bucket=buckets.destination, Key=KEY)["LastModified"].timestamp()
        os.utime(path, (modified, modified))
        before = path.stat().st_ino
    buckets.put("last.nc", b"x")
    with running(buckets.mirror(tmp_path)):
        eventually((tmp_path / "last.nc").is_file, "copy of the last object", 10)
    assert (tmp_path / KEY).read_bytes() == b"newer"
    assert ((tmp_path / KEY).stat().st_ino != before) == is_copied


def test_a_listing_names_keys_that_cannot_be_files_and_copies_the_others(
    buckets: Buckets, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    long = "x" * 300
    buckets.put(long, b"x")
    buckets.put("y.nc", b"y")
    with running(buckets.mirror(tmp_path)):
        eventually((tmp_path / "y.nc").is_file, "copy of the other object", 10)
    reason = f"The output key {long!r} cannot be a path: a name is too long or contains a NUL character."
    assert f"✗ output {long} is not copied: {reason}" in caplog.messages


def test_listings_on_request_keep_their_distance_and_read_no_file_again(
    buckets: Buckets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    mirror, listings = buckets.mirror(tmp_path), count_calls(buckets.s3, "ListObjectsV2")
    path = write(tmp_path, KEY, b"x")
    buckets.put(KEY, b"x")
    with running(mirror):
        eventually(listings, "first listing", 10)
        mirror.copy_unlisted()
        buckets.put("later.nc", b"x")
        assert not threading.Event().wait(2.5)
        assert (len(listings()), (tmp_path / "later.nc").exists()) == (1, False)
        monkeypatch.setattr(output_mirror, "_LIST_INTERVAL_S", 0.0)
        mirror._list_at = 0.0
        # What was compared once is not compared again; a file that nobody may read would raise an error.
        monkeypatch.setattr(output_mirror.hashlib, "file_digest", lambda *_: pytest.fail("the file is read again"))
        eventually((tmp_path / "later.nc").is_file, "second listing", 10)
    assert path.read_bytes() == b"x"


def count_calls(s3: S3Client, operation: str) -> Callable[[], list[None]]:
    """Return a function that returns an item for each call of an operation."""
    calls: list[None] = []
    s3.meta.events.register(f"after-call.s3.{operation}", lambda **_: calls.append(None))
    return lambda: calls


def test_a_new_bucket_gets_the_files_of_the_folder(buckets: Buckets, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    mirror = buckets.mirror(tmp_path)
    write(tmp_path, KEY, b"x")
    write(tmp_path, "stored meanwhile.nc", b"old")
    write(tmp_path, ".unfinished.nc.part", b"x")
    Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.nc")).touch()  # S3 refuses such a name
    (tmp_path / "a").symlink_to("/proc/sys/vm/compact_memory")  # which nobody may read, nor root
    buckets.put("stored meanwhile.nc", b"new")
    assert not mirror.is_complete()
    with running(mirror):
        buckets.provision()
        eventually(mirror.is_complete, "restore", 10)
    assert buckets.keys() == [KEY, "stored meanwhile.nc"]
    assert (tmp_path / "stored meanwhile.nc").read_bytes() == b"new"
    assert f"✗ a is not restored to {buckets.destination}: [Errno 13] Permission denied" in caplog.text


def test_a_bucket_with_an_epoch_is_not_restored_again(buckets: Buckets, tmp_path: Path):
    buckets.provision()
    with running(buckets.mirror(tmp_path)):
        eventually(buckets.mirror(tmp_path).is_complete, "empty restore", 10)
    write(tmp_path, KEY, b"x")
    again = buckets.mirror(tmp_path)
    with running(again):
        eventually(again.is_complete, "check", 10)
    assert buckets.keys() == []


def test_many_files_are_restored_when_a_run_needs_them(
    buckets: Buckets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO", "outputs")
    monkeypatch.setattr(output_mirror, "_MOST_RESTORED_AT_START", 1)
    write(tmp_path, KEY, b"x")
    write(tmp_path, "y.nc", b"y")
    mirror, postponed = buckets.mirror(tmp_path), f"2 outputs are put back into {buckets.destination} when"
    buckets.provision()
    with running(mirror):
        eventually(lambda: postponed in caplog.text, "postponed restore", 10)
        assert buckets.keys() == []
        assert not mirror.is_complete()  # which asks for it
        eventually(mirror.is_complete, "restore", 10)
    assert buckets.keys() == [KEY, "y.nc"]
    assert caplog.text.count(postponed) == 1


def test_without_a_destination_bucket_runs_do_not_wait(buckets: Buckets, tmp_path: Path):
    """They fail, and their error names the cause. While nothing answers they wait."""
    mirror = buckets.mirror(tmp_path)
    buckets.s3.delete_bucket(Bucket=buckets.destination)
    assert not mirror.is_complete()  # the source bucket is not provisioned
    buckets.provision()
    assert mirror.is_complete()
    unreachable = clients.local_s3(f"http://127.0.0.1:{ports.free_port()}")
    assert not OutputMirror(unreachable, buckets.destination, tmp_path, buckets.source).is_complete()
