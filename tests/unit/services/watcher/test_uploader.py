"""What an upload records. Sending is tested against an emulator in tests/e2e/test_uploads.py."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runner.messages.run_record import Outcome, Status
from runner.services.watcher.inbox import Inbox
from runner.services.watcher.uploader import Sent, Uploader
from runner.state.database import State
from runner.state.uploads import Stamp
from tests.support.states import run_of

NO_S3: Any = None


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with closing(State(tmp_path / "state")) as made:
        yield made


@pytest.fixture
def uploader(state: State, tmp_path: Path) -> Uploader:
    return Uploader(NO_S3, "inputs", state, Inbox(tmp_path / "inbox", ()))


def sent(etag: str, began_at: float | None = None, epoch: str = "1") -> Sent:
    return Sent(Stamp(1, 2, 3), f"sha of {etag}", etag, epoch, began_at)


def test_an_upload_records_the_file_and_its_version(state: State, uploader: Uploader):
    uploader.record("k", sent("1", time.time()))
    upload = state.uploads.get("k")
    assert upload
    assert (upload.stamp, upload.etag, upload.epoch) == (Stamp(1, 2, 3), "1", "1")
    assert state.versions.outcome(("k", "1")) == "uploaded"


@pytest.mark.parametrize(
    ("status", "outcome"), [("succeeded", "succeeded"), ("skipped", "skipped"), ("failed", "dead-lettered")]
)
def test_content_that_returns_after_other_content_runs_again(
    state: State, uploader: Uploader, status: Status, outcome: Outcome
):
    state.runs.add(run_of("k", "1", status, reason=None if status == "failed" else "no"), outcome)
    uploader.record("k", sent("2", time.time()))
    uploader.record("k", sent("1", time.time()))
    known = state.versions.get(("k", "1"))
    assert known
    assert (known.outcome, known.reason) == ("retried", "the same content was uploaded again")
    assert state.versions.current("k") == known


def test_a_version_that_was_forgotten_before_it_ran_runs_when_it_returns(state: State, uploader: Uploader):
    state.versions.set_outcome(("k", "1"), "forgotten", "forgotten: a test")
    uploader.record("k", sent("1", time.time()))
    assert state.versions.outcome(("k", "1")) == "retried"


def test_a_run_that_ended_during_the_upload_is_that_of_the_upload(state: State, uploader: Uploader):
    began_at = time.time()
    state.runs.add(run_of("k", "1"), "succeeded")
    uploader.record("k", sent("1", began_at))
    assert state.versions.outcome(("k", "1")) == "succeeded"


def test_content_that_was_not_sent_keeps_its_outcome(state: State, uploader: Uploader):
    state.runs.add(run_of("k", "1"), "succeeded")
    uploader.record("k", sent("1"))
    assert state.versions.outcome(("k", "1")) == "succeeded"


def test_a_file_of_a_lost_bucket_is_finished_if_its_last_run_was_final(state: State, uploader: Uploader):
    assert not uploader.is_finished(None, "2")
    for status, outcome, is_finished in (("failed", "failed", False), ("succeeded", "succeeded", True)):
        uploader.record("k", sent("1"))
        upload = state.uploads.get("k")
        state.runs.add(run_of("k", "1", status), outcome)  # type: ignore[arg-type]
        assert uploader.is_finished(upload, "2") == is_finished
        assert not uploader.is_finished(upload, "1")  # its object is still there
    state.runs.add(run_of("k", "2"), "succeeded")
    assert not uploader.is_finished(upload, "2")  # other content ran since
