"""kill -9 to each process in the middle of its work: the next one goes on, and no file is lost."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import killing
import pytest
from commands import agrees
from digests import expected, open_gate
from ledger import balanced

from runner import aws
from runner.backends import DockerStack, EmbeddedStack, Stack, eventually
from runner.rie import Emulator
from runner.template import StackTemplate

LARGE_BYTES = 96 * 1024 * 1024


@pytest.fixture(params=["embedded", "docker"])
def stack(request: pytest.FixtureRequest) -> Stack:
    return request.getfixturevalue(f"{request.param}_digests")


@pytest.fixture
def balance(stack: Stack, described: StackTemplate) -> Callable[[], None]:
    """The balance of all that ever came into this stack."""
    return lambda: balanced(stack, described, expected)


def embedded(stack: Stack) -> bool:
    return isinstance(stack, EmbeddedStack)


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
    s3, watcher = aws.local_s3(stack.endpoint_url), killing.the(stack, "watcher")

    def under_way() -> bool:
        uploads = s3.list_multipart_uploads(Bucket=described.source_bucket).get("Uploads", [])
        return key in [upload["Key"] for upload in uploads]

    stack.put(tmp_path / "large", key)
    eventually(under_way, "upload")
    os.kill(watcher, signal.SIGSTOP)  # so that it cannot come to its end between the look and the kill
    assert under_way()
    killing.kill(stack, watcher)
    assert aws.etag_of(s3, described.source_bucket, key, aws.sha256_of(tmp_path / "large")) is None
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


def test_the_poller_inside_its_long_poll(stack: Stack, balance: Callable[[], None]):
    poller, port = killing.the(stack, "poller"), urlsplit(stack.endpoint_url).port if embedded(stack) else 4566
    balance()  # nothing is left to do for it but to poll
    with killing.paused(killing.the(stack, "localstack")):  # so that its poll cannot be answered before the kill
        assert killing.is_connected(poller, port or 0)
        killing.kill(stack, poller)
        key = "killed/noop.polled.txt"
        stack.put(key.encode(), key)
    killing.successor(stack, "poller", poller)
    assert stack.final(key).outcome == "succeeded"
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
    assert first.record["error"]["message"].startswith("The Lambda")
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
