"""A Lambda without space, without memory, without time: its files fail with the limit named, and the next one works."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner.stack import docker_engine
from runner.template.stack_template import StackTemplate
from runner.testing.docker_stack import DockerStack
from runner.testing.plugin import require_docker
from runner.testing.stacks import Stack, eventually
from tests.support import killing
from tests.support.commands import agrees, message
from tests.support.digests import expected, open_gate, project
from tests.support.ledger import balanced
from tests.support.stacks import running_on

# Long enough for the init phase, which counts against it.
TIMEOUT_S = 20
HELD = "noop.hold.long.txt"
TIMED_OUT = (
    f"Task timed out after {TIMEOUT_S}.00 seconds: Timeout in template.yaml is {TIMEOUT_S}. Raise it (AWS allows 900, "
    "and the queue's VisibilityTimeout should be six times as long), or give the pipeline less to do at once."
)


@pytest.fixture(params=["embedded", "docker"])
def stack(request: pytest.FixtureRequest) -> Stack:
    return request.getfixturevalue(f"{request.param}_digests")


def dead_letter(stack: Stack, described: StackTemplate, key: str, patience_s: float = 60.0) -> str:
    """Wait for the end of a file that must fail, and send one that must not; gives the reason."""
    stack.final(key, patience_s=patience_s)
    fault = key.split(".")[1]
    after = f"exhausted/noop.after-{fault[:3]}.txt"  # whose name asks for nothing
    stack.put(after.encode(), after)
    assert stack.final(after).outcome == "succeeded"
    assert balanced(stack, described, expected).outcomes[key] == "dead-lettered"
    return message(stack, key)


def sent(stack: Stack, fault: str) -> str:
    """The key of a file that has this fault."""
    key = f"exhausted/noop.{fault}.txt"
    stack.put(key.encode(), key)
    return key


def test_a_full_tmp(stack: Stack, described: StackTemplate):
    # Without Docker /tmp is a folder of this machine, which no test may fill; a full device says the same.
    said = dead_letter(stack, described, sent(stack, "tmpfull" if isinstance(stack, DockerStack) else "devfull"))
    assert said == (
        "[Errno 28] No space left on device\nLimit: /tmp is full: EphemeralStorage in template.yaml sets its size."
    )


def test_too_much_memory(stack: Stack, described: StackTemplate):
    before = killing.the(stack, "runtime")
    # Without Docker nothing ends a process but itself.
    said = dead_letter(stack, described, sent(stack, "memory" if isinstance(stack, DockerStack) else "killed"))
    assert not killing.alive(before)
    assert said == (
        "The Lambda was killed during the run, most likely because it used more than MemorySize (600 MB) in "
        "template.yaml. Raise it, or have the pipeline hold less at once."
    )


def test_reconcile_says_the_same(stack: Stack, described: StackTemplate):
    agrees(stack, described, expected)


@dataclass(frozen=True)
class Hasty:
    """A stack whose function has little time, and its project."""

    stack: Stack
    root: Path


@pytest.fixture(scope="module")
def hasties(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Hasty]]:
    """One on each backend that can be used here: what is waited for, is waited for on both at once."""
    with ExitStack() as running, ThreadPoolExecutor() as threads:

        def start(backend: str) -> Hasty:
            folder = tmp_path_factory.mktemp(f"hasty-{backend}")
            root = project(folder / "project", Timeout=f"Timeout: {TIMEOUT_S}")
            return Hasty(running.enter_context(running_on(backend, folder / "data", root)), root)

        backends = ["embedded"] if docker_engine.unavailable_reason() else ["embedded", "docker"]
        yield dict(zip(backends, threads.map(start, backends), strict=True))


@pytest.fixture(params=["embedded", "docker"])
def backend(request: pytest.FixtureRequest) -> str:
    if request.param == "docker":
        require_docker()
    return str(request.param)


@pytest.fixture(scope="module")
def held(hasties: dict[str, Hasty]) -> dict[str, tuple[int, float]]:
    """On each backend, the process that runs a file that waits, and when the file was sent."""
    began = {backend: (killing.the(hasty.stack, "runtime"), time.time()) for backend, hasty in hasties.items()}
    for hasty in hasties.values():
        hasty.stack.put(HELD.encode(), HELD)
    return began


@pytest.fixture(scope="module")
def slow(hasties: dict[str, Hasty]) -> str:
    """A file for which there is never time enough, sent to each backend."""
    (key,) = {sent(hasty.stack, "sleep") for hasty in hasties.values()}
    return key


def test_too_little_time(
    backend: str, hasties: dict[str, Hasty], held: dict[str, tuple[int, float]], described: StackTemplate
):
    stack, (runtime, began) = hasties[backend].stack, held[backend]
    first = eventually(lambda: stack.runs_of(HELD), "first run", 60)[0]
    assert first.ended_at - began >= TIMEOUT_S
    assert not killing.alive(runtime)
    assert first.outcome == "failed"
    assert first.record["error"] is not None
    assert first.record["error"]["message"] == TIMED_OUT
    open_gate(hasties[backend].root, HELD)
    assert stack.final(HELD).attempt == 2
    assert balanced(stack, described, expected).outcomes[HELD] == "succeeded"


@pytest.mark.timeout(480)
def test_too_little_time_three_times(backend: str, hasties: dict[str, Hasty], slow: str, described: StackTemplate):
    stack = hasties[backend].stack
    # Beside three time-outs, the Lambda starts anew three times, which takes a busy machine nearly as long.
    assert dead_letter(stack, described, slow, patience_s=12 * TIMEOUT_S) == TIMED_OUT
    assert [run.outcome for run in stack.runs_of(slow)] == ["failed", "failed", "dead-lettered"]
    agrees(stack, described, expected)
