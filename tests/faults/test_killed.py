"""SIGKILL to each process in the middle of its work: its replacement continues, and no file is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runner.aws import clients
from runner.aws.s3 import etag_of, sha256_of
from runner.messages.s3_events import object_created
from runner.services.event_source_mapping.rie_client import Emulator
from runner.template.stack_template import StackTemplate
from runner.testing.docker_stack import DockerStack
from runner.testing.embedded_stack import EmbeddedStack
from runner.testing.stacks import Stack, eventually
from tests.support import killing
from tests.support.containers import address, containers
from tests.support.digests import expected, open_gate
from tests.support.outcomes import etag, in_flight, messages, verify_outcomes

LARGE_BYTES = 96 * 1024 * 1024


@pytest.fixture
def verify(stack: Stack, described: StackTemplate) -> Callable[[], object]:
    """Return a function that verifies the outcome of every file of this stack."""
    return lambda: verify_outcomes(stack, described, expected)


def lambda_log(stack: Stack) -> str:
    """Return what the pipelines have printed."""
    if isinstance(stack, DockerStack):
        return stack.text
    return "".join(path.read_text(errors="replace") for path in (stack.data / "state" / "logs").glob("lambda-*.log"))


def held(stack: Stack, name: str) -> str:
    """Drop a file whose run waits for its gate, wait until it does, and return the key."""
    key = f"killed/noop.hold.{name}.{type(stack).__name__}.txt"  # both backends share the project and its gates
    stack.put(key.encode(), key)
    eventually(lambda: f"holding {Path(key).name}" in lambda_log(stack), f"run of {key}")
    assert not stack.runs_of(key)
    return key


def emulator_of(stack: Stack) -> Emulator:
    """Return the address of the only Lambda."""
    command = killing.processes_of(stack)[killing.pid_of(stack, "emulator")]
    if isinstance(stack, EmbeddedStack):
        return Emulator(f"http://{command.split('--runtime-interface-emulator-address ')[1].split()[0]}")
    assert isinstance(stack, DockerStack)
    return Emulator(f"http://{address(*containers(stack.project, 'lambda'))}:8080")


def test_the_watcher_during_an_upload(
    stack: Stack, described: StackTemplate, verify: Callable[[], object], tmp_path: Path
):
    key = "killed/noop.large.txt"
    (tmp_path / "large").write_bytes(random.Random(1).randbytes(LARGE_BYTES))
    s3, watcher = clients.local_s3(stack.endpoint_url), killing.pid_of(stack, "watcher")

    def in_progress() -> bool:
        uploads = s3.list_multipart_uploads(Bucket=described.source_bucket).get("Uploads", [])
        return key in [upload["Key"] for upload in uploads]

    stack.put(tmp_path / "large", key)
    eventually(in_progress, "upload")
    os.kill(watcher, signal.SIGSTOP)  # so that the upload cannot finish before the kill
    assert in_progress()
    eventually(lambda: f"↑ {key}: uploading 100.7 MB …" in stack.text, "line about the upload", 5)
    killing.kill(stack, watcher)
    assert etag_of(s3, described.source_bucket, key, sha256_of(tmp_path / "large")) is None
    killing.replacement(stack, "watcher", watcher)
    assert stack.final(key).outcome == "succeeded"
    assert stack.runs_of(key)[0].record["inputs"][0]["size"] == LARGE_BYTES
    assert not in_progress()  # the unfinished upload was removed from the bucket
    verify()


def test_the_poller_during_an_invoke(stack: Stack, digest_project: Path, verify: Callable[[], object]):
    key, poller = held(stack, "poller"), killing.pid_of(stack, "poller")
    killing.kill(stack, poller)
    open_gate(digest_project, key)
    killing.replacement(stack, "poller", poller)
    assert stack.final(key).outcome == "succeeded"
    verify()


def test_the_poller_during_its_long_poll(stack: Stack, described: StackTemplate, verify: Callable[[], object]):
    polled, after = "killed/noop.polled.txt", "killed/noop.after-poll.txt"
    stack.put(polled.encode(), polled)
    stack.final(polled)
    verify()  # now the poller only polls
    poller, sqs = killing.pid_of(stack, "poller"), clients.local_sqs(stack.endpoint_url)
    url = sqs.get_queue_url(QueueName=described.queue_name)["QueueUrl"]
    event = json.dumps(object_created(described.source_bucket, polled, etag(polled.encode())))

    def paused_while_polling() -> bool:
        """Stop it and send a message: if this is received, then by a poll that had started before."""
        os.kill(poller, signal.SIGSTOP)
        sqs.send_message(QueueUrl=url, MessageBody=event)
        deadline = time.monotonic() + 1.5  # a poll lasts a second
        eventually(lambda: in_flight(stack, described.queue_name) or time.monotonic() > deadline, "end of the poll")
        if in_flight(stack, described.queue_name):
            return True
        os.kill(poller, signal.SIGCONT)  # it was between two polls
        eventually(lambda: not messages(stack, described.queue_name), "empty queue")
        return False

    eventually(paused_while_polling, "poll that receives the message")
    runs = len(stack.runs_of(polled))
    killing.kill(stack, poller)
    stack.put(after.encode(), after)
    killing.replacement(stack, "poller", poller)
    assert stack.final(after).outcome == "succeeded"
    again = stack.final(polled, runs + 1)
    assert (again.outcome, again.attempt) == ("succeeded", 2)  # the killed poller had received it
    verify()


def test_the_lambda_runtime_during_a_run(stack: Stack, digest_project: Path, verify: Callable[[], object]):
    key, runtime = held(stack, "runtime"), killing.pid_of(stack, "runtime")
    killing.kill(stack, runtime)
    open_gate(digest_project, key)
    killing.replacement(stack, "runtime", runtime)
    assert stack.final(key).outcome == "succeeded"
    first, last = stack.runs_of(key)
    assert first.outcome == "failed"
    assert first.record["error"] is not None
    assert first.record["error"]["message"] == (
        "The Lambda was killed during the run, most likely because it used more than MemorySize (600 MB) in "
        "template.yaml. Raise it, or have the pipeline hold less data at once."
    )
    assert last.attempt == 2
    verify()


def test_the_poller_between_a_run_and_the_copy_of_its_outputs(stack: Stack, verify: Callable[[], object]):
    key = f"killed/noop.copy.{type(stack).__name__}.txt"
    output = stack.outputs / next(iter(expected(key, key.encode())))
    in_the_way = output.with_name(f".{output.name}.part")
    in_the_way.mkdir(parents=True)  # so that the copy cannot be written
    stack.put(key.encode(), key)
    eventually(lambda: f"Is a directory: '{in_the_way}'" in stack.text or in_the_way.name in stack.text, "failed copy")
    poller = killing.pid_of(stack, "poller")
    assert not stack.runs_of(key)  # a run counts only when its outputs are in the folder
    killing.kill(stack, poller)
    in_the_way.rmdir()
    killing.replacement(stack, "poller", poller)
    run = stack.final(key)
    assert (run.outcome, run.attempt) == ("succeeded", 2)  # the killed process had received it
    assert output.is_file()
    verify()


def test_the_emulator_crashes_on_a_second_invoke(stack: Stack, digest_project: Path, verify: Callable[[], object]):
    key, crashed, emulator = held(stack, "crash"), killing.pid_of(stack, "emulator"), emulator_of(stack)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: emulator.invoke({"Event": "s3:TestEvent"}, 5), range(4)))
    eventually(lambda: not killing.alive(crashed), "crash", 5)
    open_gate(digest_project, key)
    killing.replacement(stack, "emulator", crashed)
    assert stack.final(key).outcome == "succeeded"
    verify()
