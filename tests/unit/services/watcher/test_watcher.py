"""What the watcher does in which case, one step at a time and without threads of its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.aws import emulator_api
from runner.aws.s3 import upload
from runner.services.watcher.watcher import Watcher
from runner.settings import Settings
from runner.state.database import State
from runner.testing.stacks import eventually
from tests.support.memory_aws import MemoryAws
from tests.support.rights import ordinary_rights
from tests.support.states import ETAG, run_of


class Stepped(Watcher):
    """A watcher that scans, uploads and records when a test wants it to."""

    def __init__(self, settings: Settings, aws: Any, state: State) -> None:
        super().__init__(settings, aws, aws.template.source_bucket, state)
        self.settings, self.aws, self.state = settings, aws, state

    def write(self, key: str, content: bytes = b"x") -> None:
        self._inbox.path(key).parent.mkdir(parents=True, exist_ok=True)
        self._inbox.path(key).write_bytes(content)

    def upload(self) -> None:
        self._check_bucket_at = 0.0
        self._check_bucket()
        self._scanner.restart()
        self._scan()
        self._start_uploads()
        wait(self._running.values())

    def look(self) -> None:
        self.upload()
        self._collect()

    def keys(self) -> list[str]:
        """Return the keys of the messages in the queue, oldest first."""
        return [message.body.split('"key": "')[1].split('"')[0] for message in self.aws.queue]


@pytest.fixture
def watcher(aws: MemoryAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stepped]:
    monkeypatch.setattr(emulator_api, "answers", lambda _: True)
    settings = replace(Settings.from_env({}), data=tmp_path, settle_s=0.0, polling=True)
    settings.inbox.mkdir()
    with closing(State(settings.state)) as state:
        yield Stepped(settings, aws, state)


def succeed(watcher: Stepped, key: str) -> None:
    """Record a run of a file with the content x, and put its output into the folder."""
    output = f"{key}.nc"
    watcher.state.runs.add(run_of(key, ETAG, outputs=[{"bucket": "o", "key": output, "size": 1}]), "succeeded")
    watcher.settings.outputs.mkdir(exist_ok=True)
    (watcher.settings.outputs / output).touch()


def test_each_content_is_uploaded_once(watcher: Stepped):
    watcher.write("a.csv")
    watcher.write("b/c.csv")
    watcher.look()
    watcher.look()
    assert sorted(watcher.keys()) == ["a.csv", "b/c.csv"]
    watcher.write("a.csv")  # the same content
    watcher.look()
    watcher.write("b/c.csv", b"other")
    watcher.look()
    assert watcher.keys()[2:] == ["b/c.csv"]


def test_a_file_that_changes_during_its_upload_is_uploaded_again(watcher: Stepped):
    watcher.write("a.csv")
    watcher.upload()
    watcher.write("a.csv", b"longer")
    watcher._collect()
    watcher.look()
    assert watcher.keys() == ["a.csv", "a.csv"]


@pytest.mark.parametrize("is_replaced", [True, False])
def test_a_file_that_is_removed_during_its_upload_is_not_waited_for(
    watcher: Stepped, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, is_replaced: bool
):
    def removed_first(*arguments: Any) -> str:
        path = watcher._inbox.path("a.csv")
        path.unlink()
        if is_replaced:
            path.with_name("new.part").write_bytes(b"replaced")
            path.with_name("new.part").rename(path)
        return upload(*arguments)

    watcher.write("a.csv")
    with monkeypatch.context() as patched:
        patched.setattr("runner.services.watcher.uploader.upload", removed_first)
        watcher.look()
    watcher.look()
    assert caplog.messages == []
    bucket = watcher.aws.buckets[watcher.aws.template.source_bucket]
    # The first upload had the old checksum and the new content, so the content is uploaded again.
    assert watcher.keys() == ["a.csv", "a.csv"] * is_replaced
    assert [stored.content for stored in bucket.values()] == [b"replaced"] * is_replaced


def test_ten_thousand_files_at_once_are_each_uploaded_once(watcher: Stepped):
    """Through folder events, which the kernel drops when there are too many, and scans."""
    stop, settings = threading.Event(), replace(watcher.settings, polling=False, settle_s=1.0)
    running = Watcher(settings, watcher.aws, watcher.aws.template.source_bucket, watcher.state)
    thread = threading.Thread(target=running.run, args=(stop,))
    thread.start()
    try:
        for number in range(10_000):
            watcher.write(f"{number % 100}/{number}.csv", b"%d" % number)
        eventually(lambda: len(watcher.aws.queue) >= 10_000, "upload of each file", 60)
    finally:
        stop.set()
        thread.join()
    assert sorted(watcher.keys()) == sorted(f"{number % 100}/{number}.csv" for number in range(10_000))


def test_when_the_kernel_drops_events_every_file_is_looked_at(watcher: Stepped):
    watcher.look()
    watcher.write("a.csv")
    watcher._scanner._full_at = watcher._scanner._changed_at = float("inf")
    watcher._handle("overflow", "")
    watcher._scan()
    watcher._start_uploads()
    wait(watcher._running.values())
    assert watcher.keys() == ["a.csv"]


def test_a_name_that_s3_refuses_is_reported_once(watcher: Stepped, caplog: pytest.LogCaptureFixture):
    watcher.write("a\x01.csv")
    watcher.look()
    watcher.look()
    assert caplog.messages == [
        "✗ a\\x01.csv: its name contains the character '\\x01', which S3 cannot list. Rename it."
    ]


def test_what_cannot_be_taken_is_reported_once_and_recorded_for_as_long_as_it_is_so(
    watcher: Stepped, caplog: pytest.LogCaptureFixture
):
    watcher.write("closed.csv")
    watcher.write("folder/inside.csv")
    for name in ("closed.csv", "folder"):
        (watcher.settings.inbox / name).chmod(0)
    os.mkfifo(watcher.settings.inbox / "pipe")
    with ordinary_rights():
        for _ in range(3):
            watcher.look()
            if stamp := watcher._inbox.stamp("closed.csv"):
                watcher._settler.postpone("closed.csv", stamp, 0.0)
    found = {
        "closed.csv": "it cannot be read: Permission denied. It is taken when it can be.",
        "folder/": "it cannot be listed: Permission denied. Its files are taken when it can be.",
        "pipe": "it is a pipe, not a regular file. Write its contents to one, and remove it here.",
    }
    assert {key: problem.reason for key, problem in watcher.state.inbox_problems.all().items()} == found
    assert sorted(caplog.messages) == [f"✗ {key}: {reason}" for key, reason in found.items()]
    for name in ("closed.csv", "folder"):
        (watcher.settings.inbox / name).chmod(0o700)
    (watcher.settings.inbox / "pipe").unlink()
    watcher.write("pipe", b"a file now")
    watcher.look()
    assert sorted(watcher.keys()) == ["closed.csv", "folder/inside.csv", "pipe"]
    watcher.look()
    assert watcher.state.inbox_problems.all() == {}


def test_a_failed_upload_is_reported_once_and_repeated(watcher: Stepped, caplog: pytest.LogCaptureFixture):
    watcher.write("a.csv")
    del watcher.aws.buckets[watcher.aws.template.source_bucket]
    for _ in range(2):
        watcher.look()
        watcher._settler.postpone("a.csv", watcher._inbox.stamp("a.csv"), 0.0)  # type: ignore[arg-type]
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("✗ a.csv: not uploaded, trying again: ")
    watcher.aws.restart()
    watcher.look()
    assert watcher.keys() == ["a.csv"]


def test_after_a_restart_of_the_emulator_only_unfinished_files_are_uploaded(watcher: Stepped):
    watcher.write("finished.csv")
    watcher.write("unfinished.csv")
    watcher.look()
    succeed(watcher, "finished.csv")
    watcher.aws.restart()
    watcher.look()
    assert watcher.keys() == ["unfinished.csv"]


def test_an_upload_that_ends_during_a_restart_of_the_emulator_is_repeated(watcher: Stepped):
    """It went to the old bucket, and is recorded when the watcher knows the new one."""
    watcher.write("a.csv")
    watcher.upload()
    watcher.aws.restart()
    watcher._check_bucket_at = 0.0
    watcher._check_bucket()
    watcher._collect()
    watcher.look()
    assert watcher.keys() == ["a.csv"]
    upload = watcher.state.uploads.get("a.csv")
    assert upload
    assert upload.epoch == str(watcher.aws.epoch)


def test_without_retention_a_file_is_removed_when_its_outputs_are_in_the_folder(watcher: Stepped):
    watcher._settings = replace(watcher._settings, retain=False)
    for key in ("succeeded.csv", "no output.csv", "changed.csv", "failed.csv"):
        watcher.write(key)
    watcher.look()
    for key in ("succeeded.csv", "no output.csv", "changed.csv"):
        succeed(watcher, key)
    (watcher.settings.outputs / "no output.csv.nc").unlink()
    watcher.state.runs.add(run_of("failed.csv", ETAG, "failed"), "failed")
    watcher.write("changed.csv", b"longer")
    watcher._scan()
    assert sorted(key for key, _ in watcher._inbox.scan()) == ["changed.csv", "failed.csv", "no output.csv"]


def test_without_retention_a_file_is_removed_whose_run_was_recorded_before_its_upload(watcher: Stepped):
    watcher._settings = replace(watcher._settings, retain=False)
    watcher.write("quick.csv")
    watcher.upload()
    succeed(watcher, "quick.csv")
    watcher._scan()
    assert watcher._inbox.stamp("quick.csv")
    watcher._collect()
    assert watcher._inbox.stamp("quick.csv") is None
