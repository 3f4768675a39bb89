"""The order of uploads and reads: what a pipeline stores last under a key stays, and it can read what it has stored."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from runner.function.background_uploads import BackgroundUploads


class SlowBucket:
    """Takes puts, the first of which is slow, and lists what is there."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self._first, self._lock = True, threading.Lock()

    def put_object(self, Key: str, Body: bytes, Metadata: object) -> None:  # noqa: N803
        with self._lock:
            is_first, self._first = self._first, False
        if is_first:
            time.sleep(0.3)
        if Body == b"refused":
            raise ValueError(f"{Key} refused")
        self.contents[Key] = Body

    @property
    def objects(self) -> list[str]:
        return sorted(self.contents)


@pytest.fixture
def uploads() -> BackgroundUploads:
    return BackgroundUploads("outputs", lambda: None, SlowBucket())


def store(uploads: BackgroundUploads, folder: Path, key: str, content: bytes) -> None:
    path = folder / "file"
    path.write_bytes(content)
    uploads.upload_file(str(path), key)


def test_the_last_content_of_a_key_stays(uploads: Any, tmp_path: Path):
    for content in (b"first", b"second"):
        store(uploads, tmp_path, "a.nc", content)
    assert [output["size"] for output in uploads.finish()] == [6]
    assert uploads._bucket.contents == {"a.nc": b"second"}


def test_a_pipeline_reads_what_it_has_stored(uploads: Any, tmp_path: Path):
    store(uploads, tmp_path, "a.nc", b"x")
    store(uploads, tmp_path, "b.nc", b"x")
    assert uploads.objects == ["a.nc", "b.nc"]


def test_outputs_of_a_run_that_failed_later_are_awaited(uploads: Any, tmp_path: Path):
    store(uploads, tmp_path, "a.nc", b"x")
    store(uploads, tmp_path, "b.nc", b"refused")
    uploads.await_all()
    assert [output["key"] for output in uploads.stored] == ["a.nc"]
    with pytest.raises(ValueError, match=r"b\.nc refused"):
        uploads.finish()
