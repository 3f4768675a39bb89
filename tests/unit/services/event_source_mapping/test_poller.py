"""The order in which outputs are copied, runs are recorded and messages are deleted; threads only where they copy."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from runner.services.event_source_mapping.batch_results import MessageResult
from runner.services.event_source_mapping.poller import EventSourceMapping
from runner.services.event_source_mapping.rie_client import Answer
from runner.services.event_source_mapping.run_room import RunRoom
from runner.state.database import State
from tests.support.memory_aws import MemoryAws
from tests.support.states import run_of

OUTPUTS = [{"bucket": "o", "key": "x.nc", "size": 1}]


class Outputs:
    """Records what it is asked to copy; raises errors before it does."""

    def __init__(self, state: State, *errors: Exception) -> None:
        self._state, self._errors = state, list(errors)
        self.copied: list[str] = []
        self.listings = 0

    def copy(self, keys: Iterable[str]) -> None:
        if self._errors:
            raise self._errors.pop(0)
        assert self._state.runs.last_id() == 0  # nothing is recorded before its outputs are copied
        self.copied += keys

    def copy_unlisted(self) -> None:
        self.listings += 1

    def is_complete(self) -> bool:
        return True


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with closing(State(tmp_path)) as made:
        yield made


class Mapping(EventSourceMapping):
    """A mapping whose steps a test takes one at a time."""

    def __init__(self, aws: Any, state: State, folder: Path, *errors: Exception) -> None:
        self.outputs = Outputs(state, *errors)
        super().__init__(aws, aws.template, [], folder, self.outputs, RunRoom(folder, folder))
        self.aws, self.state = aws, state

    def handle(self, *statuses: Any, outputs: list[Any]) -> None:
        """Receive a message and handle an answer with a run of each status."""
        self.aws.put_object(self.aws.template.source_bucket, "k", b"x")
        batch = self._leases.receive(1)
        message_id = batch[0]["MessageId"]
        runs = [
            run_of(f"k{number}", "1", status, message_id=message_id, outputs=outputs if status == "succeeded" else [])
            for number, status in enumerate(statuses)
        ]
        failures = [{"itemIdentifier": message_id}] if "failed" in statuses else []
        self._handle((batch, Answer("answered", {"batchItemFailures": failures, "runs": runs})), self.state)

    def handle_copied(self) -> MessageResult:
        result = self._answers.get(timeout=10)
        assert isinstance(result, MessageResult)
        self._handle(result, self.state)
        return result


def outcomes(state: State) -> dict[str, str]:
    return {known.key: known.outcome for known, _ in state.versions.each()}


def test_a_run_is_recorded_after_its_outputs_are_copied_and_before_its_message_is_deleted(
    aws: MemoryAws, state: State, tmp_path: Path
):
    mapping = Mapping(aws, state, tmp_path)
    mapping.handle("succeeded", outputs=OUTPUTS)
    assert (outcomes(state), len(aws.queue)) == ({}, 1)
    mapping.handle_copied()
    assert mapping.outputs.copied == ["x.nc"]
    assert (outcomes(state), len(aws.queue)) == ({"k0": "succeeded"}, 0)


def test_a_run_without_outputs_is_recorded_at_once(aws: MemoryAws, state: State, tmp_path: Path):
    mapping = Mapping(aws, state, tmp_path)
    mapping.handle("succeeded", outputs=[])
    assert mapping.outputs.listings == 1  # a storage class of the user's own may have stored some
    assert (outcomes(state), len(aws.queue)) == ({"k0": "succeeded"}, 0)


def test_a_message_of_which_one_run_failed_is_received_again(aws: MemoryAws, state: State, tmp_path: Path):
    mapping = Mapping(aws, state, tmp_path)
    mapping.handle("succeeded", "failed", outputs=OUTPUTS)
    mapping.handle_copied()
    assert outcomes(state) == {"k0": "succeeded", "k1": "failed"}
    assert [message.is_in_flight for message in aws.queue] == [False]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            ClientError({"Error": {"Code": "NoSuchKey", "Message": "gone"}}, "GetObject"),
            "An output cannot be read from the destination bucket: An error occurred (NoSuchKey) when calling the "
            "GetObject operation: gone",
        ),
        (ValueError("The key is too long."), "An output cannot be copied to data/outputs. The key is too long."),
    ],
)
def test_a_run_whose_outputs_cannot_be_copied_failed(
    aws: MemoryAws, state: State, tmp_path: Path, error: Exception, reason: str
):
    mapping = Mapping(aws, state, tmp_path, error)
    mapping.handle("succeeded", outputs=OUTPUTS)
    mapping.handle_copied()
    (run,) = state.runs.newest()
    assert (run.outcome, run.record["error"] and run.record["error"]["message"]) == ("failed", reason)
    assert len(aws.queue) == 1


def test_a_copy_waits_while_the_disk_is_full(
    aws: MemoryAws, state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    full = [OSError(28, "No space left on device")] * 2
    mapping = Mapping(aws, state, tmp_path, *full)
    mapping.handle("succeeded", outputs=OUTPUTS)
    mapping.handle_copied()
    assert outcomes(state) == {"k0": "succeeded"}
    assert [text for text in caplog.messages if text.startswith(f"✗ the disk of {tmp_path} is full: ")]
    assert len([text for text in caplog.messages if "✗" in text]) == 1


def test_a_batch_that_reached_no_lambda_costs_no_attempt(aws: MemoryAws, state: State, tmp_path: Path):
    mapping = Mapping(aws, state, tmp_path)
    aws.put_object(aws.template.source_bucket, "k", b"x")
    batch = mapping._leases.receive(1)
    mapping._handle((batch, Answer("unreachable", error="No Lambda answers")), state)
    assert mapping._not_invoked.get_nowait() == batch
    assert (outcomes(state), [message.is_in_flight for message in aws.queue]) == ({}, [True])


def test_many_answers_are_deleted_in_one_call(aws: MemoryAws, state: State, tmp_path: Path):
    calls: list[int] = []
    mapping = Mapping(aws, state, tmp_path)
    delete = aws.delete_message_batch
    aws.delete_message_batch = lambda QueueUrl, Entries: (calls.append(len(Entries)), delete(QueueUrl, Entries))[1]  # type: ignore[method-assign]  # noqa: E501, N803
    for number in range(12):
        aws.put_object(aws.template.source_bucket, f"k{number}", b"x")
    for message in [*mapping._leases.receive(10), *mapping._leases.receive(10)]:
        run = run_of("k", message["MessageId"], "skipped", message_id=message["MessageId"], reason="no route")
        mapping._answers.put(([message], Answer("answered", {"batchItemFailures": [], "runs": [run]})))
    deadline = time.monotonic() + 10
    while not mapping._answers.empty() and time.monotonic() < deadline:
        mapping._handle(mapping._answers.get(), state)
    assert (calls, aws.queue) == ([10, 2], [])


def test_a_message_that_no_filter_selects_is_deleted_and_its_file_is_skipped(
    aws: MemoryAws, state: State, tmp_path: Path
):
    pattern = {"body": {"Records": {"s3": {"object": {"key": [{"suffix": ".zip"}]}}}}}
    aws.template = replace(aws.template, filter_patterns=(pattern,))
    mapping = Mapping(aws, state, tmp_path)
    for key in ("a.zip", "b.csv"):
        aws.put_object(aws.template.source_bucket, key, b"x")
    wanted = [message for message in mapping._leases.receive(10) if mapping._is_wanted(message)]
    assert [json.loads(message["Body"])["Records"][0]["s3"]["object"]["key"] for message in wanted] == ["a.zip"]
    mapping.handle_copied()
    assert outcomes(state) == {"b.csv": "skipped"}
    assert state.runs.last_id() == 1
    assert len(aws.queue) == 1


def test_a_disabled_mapping_is_ready_and_receives_nothing(aws: MemoryAws, state: State, tmp_path: Path):
    aws.template = replace(aws.template, mapping_enabled=False)
    mapping = Mapping(aws, state, tmp_path)
    aws.put_object(aws.template.source_bucket, "k", b"x")
    stop, ready = threading.Event(), threading.Event()
    mapping._on_ready = ready.set
    thread = threading.Thread(target=mapping.run, args=(stop,))
    thread.start()
    assert ready.wait(10)
    stop.set()
    thread.join(10)
    assert [message.receipts for message in aws.queue] == [0]
