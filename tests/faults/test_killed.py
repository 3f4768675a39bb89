"""kill -9 to each process in the middle of its work: the next one goes on, and no file is lost."""

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
from tests.support.commands import agrees
from tests.support.digests import expected, open_gate
from tests.support.ledger import balanced, etag, in_flight, messages

LARGE_BYTES = 96 * 1024 * 1024


@pytest.fixture(params=["embedded", "docker"])
def stack(request: pytest.FixtureRequest) -> Stack:
    return request.getfixturevalue(f"{request.param}_digests")


@pytest.fixture
def balance(stack: Stack, described: StackTemplate) -> Callable[[], None]:
    """The balance of all that ever came into this stack."""
    return lambda: balanced(stack, described, expected)


def lambda_log(stack: Stack) -> str:
    """What the pipelines have printed."""
    if isinstance(stack, DockerStack):
        return stack.text
    return "".join(path.read_text(errors="replace") for path in (stack.data / "state" / "logs").glob("lambda-*.log"))


def held(stack: Stack, name: str) -> str:
    """Send a file whose run waits, and wait until it does; gives its key."""
    key = f"killed/noop.hold.{name}.{type(stack).__name__}.txt"  # both share the project, where a gate stays open
    stack.put(key.encode(), key)
    eventually(lambda: f"holding {Path(key).name}" in lambda_log(stack), f"run of {key}")
    assert not stack.runs_of(key)
    return key


def emulator_of(stack: Stack) -> Emulator:
    """Where the one Lambda takes invokes."""
    command = killing.family(stack)[killing.the(stack, "emulator")]
    if isinstance(stack, EmbeddedStack):
        return Emulator(f"http://{command.split('--runtime-interface-emulator-address ')[1].split()[0]}")
    return Emulator(f"http://{killing.address(stack, 'lambda')}:8080")


def test_the_watcher_in_the_middle_of_an_upload(
    stack: Stack, described: StackTemplate, balance: Callable[[], None], tmp_path: Path
):
    key = "killed/noop.large.txt"
    (tmp_path / "large").write_bytes(random.Random(1).randbytes(LARGE_BYTES))
    s3, watcher = clients.local_s3(stack.endpoint_url), killing.the(stack, "watcher")

    def under_way() -> bool:
        uploads = s3.list_multipart_uploads(Bucket=described.source_bucket).get("Uploads", [])
        return key in [upload["Key"] for upload in uploads]

    stack.put(tmp_path / "large", key)
    eventually(under_way, "upload")
    os.kill(watcher, signal.SIGSTOP)  # so that it cannot come to its end between the look and the kill
    assert under_way()
    eventually(lambda: f"↑ {key}: uploading 100.7 MB …" in stack.text, "word of the upload", 5)
    killing.kill(stack, watcher)
    assert etag_of(s3, described.source_bucket, key, sha256_of(tmp_path / "large")) is None
    killing.successor(stack, "watcher", watcher)
    assert stack.final(key).outcome == "succeeded"
    assert stack.runs_of(key)[0].record["inputs"][0]["size"] == LARGE_BYTES
    assert not under_way()  # what the dead one had begun does not stay in the bucket
    balance()


def test_the_poller_in_the_middle_of_an_invoke(stack: Stack, digest_project: Path, balance: Callable[[], None]):
    key, poller = held(stack, "poller"), killing.the(stack, "poller")
    killing.kill(stack, poller)
    open_gate(digest_project, key)
    killing.successor(stack, "poller", poller)
    assert stack.final(key).outcome == "succeeded"
    balance()


def test_the_poller_inside_its_long_poll(stack: Stack, described: StackTemplate, balance: Callable[[], None]):
    polled, after = "killed/noop.polled.txt", "killed/noop.after-poll.txt"
    stack.put(polled.encode(), polled)
    stack.final(polled)
    balance()  # nothing is left to do for it but to poll
    poller, sqs = killing.the(stack, "poller"), clients.local_sqs(stack.endpoint_url)
    url = sqs.get_queue_url(QueueName=described.queue_name)["QueueUrl"]
    event = json.dumps(object_created(described.source_bucket, polled, etag(polled.encode())))

    def is_caught() -> bool:
        """Stop it and send a message: if that is taken, then by a poll that had begun before and has not come back."""
        os.kill(poller, signal.SIGSTOP)
        sqs.send_message(QueueUrl=url, MessageBody=event)
        over = time.monotonic() + 1.5  # a poll waits a second
        eventually(lambda: in_flight(stack, described.queue_name) or time.monotonic() > over, "end of the poll")
        if in_flight(stack, described.queue_name):
            return True
        os.kill(poller, signal.SIGCONT)  # it was between two polls
        eventually(lambda: not messages(stack, described.queue_name), "empty queue")
        return False

    eventually(is_caught, "poll that takes the message")
    runs = len(stack.runs_of(polled))
    killing.kill(stack, poller)
    stack.put(after.encode(), after)
    killing.successor(stack, "poller", poller)
    assert stack.final(after).outcome == "succeeded"
    again = stack.final(polled, runs + 1)
    assert (again.outcome, again.attempt) == ("succeeded", 2)  # the dead one had received it
    balance()


def test_the_lambdas_runtime_in_the_middle_of_a_run(stack: Stack, digest_project: Path, balance: Callable[[], None]):
    key, runtime = held(stack, "runtime"), killing.the(stack, "runtime")
    killing.kill(stack, runtime)
    open_gate(digest_project, key)
    killing.successor(stack, "runtime", runtime)
    assert stack.final(key).outcome == "succeeded"
    first, last = stack.runs_of(key)
    assert first.outcome == "failed"
    assert first.record["error"] is not None
    assert first.record["error"]["message"] == (
        "The Lambda was killed during the run, most likely because it used more than MemorySize (600 MB) in "
        "template.yaml. Raise it, or have the pipeline hold less at once."
    )
    assert last.attempt == 2
    balance()


def test_the_emulator_crashes_by_a_second_invoke(stack: Stack, digest_project: Path, balance: Callable[[], None]):
    key, crashed, emulator = held(stack, "crash"), killing.the(stack, "emulator"), emulator_of(stack)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: emulator.invoke({"Event": "s3:TestEvent"}, 5), range(4)))
    eventually(lambda: not killing.alive(crashed), "crash", 5)
    open_gate(digest_project, key)
    killing.successor(stack, "emulator", crashed)
    assert stack.final(key).outcome == "succeeded"
    balance()


def test_reconcile_says_the_same(stack: Stack, described: StackTemplate):
    agrees(stack, described, expected)
