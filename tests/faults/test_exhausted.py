"""A Lambda without space, without memory, without time: its files fail with the limit named, and the next one works."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import killing
import pytest
from commands import agrees, message
from conftest import running_on
from digests import expected, open_gate, project
from ledger import balanced

from runner.backends import DockerStack, Stack, eventually
from runner.template import StackTemplate

# Long enough for the init phase, which counts against it.
TIMEOUT_S = 20
TIMED_OUT = (
    f"Task timed out after {TIMEOUT_S}.00 seconds: Timeout in template.yaml is {TIMEOUT_S}. Raise it (AWS allows 900, "
    "and the queue's VisibilityTimeout should be six times as long), or give the pipeline less to do at once."
)


@pytest.fixture(params=["embedded", "docker"])
def stack(request: pytest.FixtureRequest) -> Stack:
    return request.getfixturevalue(f"{request.param}_digests")


def dead_letter(stack: Stack, described: StackTemplate, fault: str, patience_s: float = 60.0) -> str:
    """Send a file that must fail, and then one that must not; gives the reason."""
    key, after = f"exhausted/noop.{fault}.txt", f"exhausted/noop.after-{fault[:3]}.txt"
    stack.put(key.encode(), key)
    stack.final(key, patience_s=patience_s)
    stack.put(after.encode(), after)
    assert stack.final(after).outcome == "succeeded"
    assert balanced(stack, described, expected).outcomes[key] == "dead-lettered"
    return message(stack, key)


def test_a_full_tmp(stack: Stack, described: StackTemplate):
    # Without Docker /tmp is a folder of this machine, which no test may fill; a full device says the same.
    said = dead_letter(stack, described, "tmpfull" if isinstance(stack, DockerStack) else "devfull")
    assert said == (
        "[Errno 28] No space left on device\nLimit: /tmp is full: EphemeralStorage in template.yaml sets its size."
    )


def test_too_much_memory(stack: Stack, described: StackTemplate):
    before = killing.the(stack, "runtime")
    # Without Docker nothing ends a process but itself.
    said = dead_letter(stack, described, "memory" if isinstance(stack, DockerStack) else "killed")
    assert not killing.alive(before)
    assert said == (
        "The Lambda was killed during the run, most likely because it used more than MemorySize (600 MB) in "
        "template.yaml. Raise it, or have the pipeline hold less at once."
    )


def test_reconcile_says_the_same(stack: Stack, described: StackTemplate):
    agrees(stack, described, expected)


@pytest.fixture(scope="module", params=["embedded", "docker"])
def hasty(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Path]]:
    """A stack whose function has little time, and its project."""
    folder = tmp_path_factory.mktemp("hasty")
    root = project(folder / "project", Timeout=f"Timeout: {TIMEOUT_S}")
    with running_on(request.param, folder / "data", root) as made:
        yield made, root


def test_too_little_time(hasty: tuple[Stack, Path], described: StackTemplate):
    stack, root = hasty
    key, runtime, began = "noop.hold.long.txt", killing.the(stack, "runtime"), time.monotonic()
    stack.put(key.encode(), key)
    first = eventually(lambda: stack.runs_of(key), "first run")[0]
    assert time.monotonic() - began >= TIMEOUT_S
    assert not killing.alive(runtime)
    assert first.outcome == "failed"
    assert first.record["error"] is not None
    assert first.record["error"]["message"] == TIMED_OUT
    open_gate(root, key)
    assert stack.final(key).attempt == 2
    assert balanced(stack, described, expected).outcomes[key] == "succeeded"


@pytest.mark.timeout(480)
def test_too_little_time_three_times(hasty: tuple[Stack, Path], described: StackTemplate):
    stack, _ = hasty
    # Beside three time-outs, the Lambda starts anew three times, which takes a busy machine nearly as long.
    assert dead_letter(stack, described, "sleep", patience_s=12 * TIMEOUT_S) == TIMED_OUT
    key = "exhausted/noop.sleep.txt"
    assert [run.outcome for run in stack.runs_of(key)] == ["failed", "failed", "dead-lettered"]
    agrees(stack, described, expected)
