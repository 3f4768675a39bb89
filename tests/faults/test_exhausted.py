"""A Lambda without space, memory or time, or that exits: the file fails with a clear error, and the next one works."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner.template.stack_template import StackTemplate
from runner.testing.docker_stack import DockerStack
from runner.testing.stacks import Stack, eventually
from tests.support import killing
from tests.support.commands import failure_message, verify_reconcile
from tests.support.digests import expected, open_gate, project
from tests.support.outcomes import verify_outcomes
from tests.support.stacks import BACKENDS, running_on

# Long enough for the init phase, which counts against it.
TIMEOUT_S = 15
HELD = "noop.hold.long.txt"
TIMED_OUT = (
    f"Task timed out after {TIMEOUT_S}.00 seconds: Timeout in template.yaml is {TIMEOUT_S}. Raise it (AWS allows 900, "
    "and the queue's VisibilityTimeout should be six times as long), or give the pipeline less data at once."
)


def drop(stack: Stack, fault: str) -> str:
    """Drop a file with a fault and return its key."""
    key = f"exhausted/noop.{fault}.txt"
    stack.put(key.encode(), key)
    return key


def final_error(stack: Stack, described: StackTemplate, key: str, patience_s: float = 120.0) -> str:
    """Wait until a file is dead-lettered, verify that the next one succeeds, and return the error."""
    stack.final(key, patience_s=patience_s)
    after = f"exhausted/noop.after-{key.split('.')[1][:3]}.txt"
    stack.put(after.encode(), after)
    assert stack.final(after, patience_s=patience_s).outcome == "succeeded"
    assert verify_outcomes(stack, described, expected).outcomes[key] == "dead-lettered"
    return failure_message(stack, key)


def test_a_full_tmp(stack: Stack, described: StackTemplate):
    # Without Docker, /tmp is the host's, which no test may fill; a full device raises the same error.
    key = drop(stack, "tmpfull" if isinstance(stack, DockerStack) else "devfull")
    assert final_error(stack, described, key) == (
        "[Errno 28] No space left on device\nLimit: /tmp is full: EphemeralStorage in template.yaml sets its size."
    )


def test_too_much_memory(stack: Stack, described: StackTemplate):
    before = killing.pid_of(stack, "runtime")
    # Without Docker, nothing limits the memory: the process kills itself.
    key = drop(stack, "memory" if isinstance(stack, DockerStack) else "killed")
    error = final_error(stack, described, key)
    assert not killing.alive(before)
    assert error == (
        "The Lambda was killed during the run, most likely because it used more than MemorySize (600 MB) in "
        "template.yaml. Raise it, or have the pipeline hold less data at once."
    )


def test_a_pipeline_that_exits(stack: Stack, described: StackTemplate, digest_project: Path):
    for fault in ("exit", "quit"):
        key = drop(stack, f"{fault}.{type(stack).__name__}")  # both backends share the project and its gates
        first = eventually(lambda key=key: stack.runs_of(key), f"run of {key}")[0]
        assert (first.outcome, first.attempt) == ("failed", 1)
        error = first.record["error"]
        assert error is not None
        if fault == "exit":  # os._exit, which no code can catch
            assert "Runtime" in error["message"] or "runtime died" in error["message"], error
        else:
            assert error["message"] == "The pipeline stopped Python by SystemExit: enough"
        open_gate(digest_project, key)
        assert stack.final(key).outcome == "succeeded"
    verify_outcomes(stack, described, expected)


@dataclass(frozen=True)
class Impatient:
    """A stack with a short Timeout and its project; a file that waits and one that always sleeps were dropped."""

    stack: Stack
    root: Path
    runtime: int
    dropped_at: float
    sleeping: str


@pytest.fixture(scope="module", params=BACKENDS)
def impatient(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Impatient]:
    folder = tmp_path_factory.mktemp("impatient")
    root = project(folder / "project", Timeout=f"Timeout: {TIMEOUT_S}")
    with running_on(request.param, folder / "data", root) as stack:
        runtime, now = killing.pid_of(stack, "runtime"), time.time()
        stack.put(HELD.encode(), HELD)
        yield Impatient(stack, root, runtime, now, drop(stack, "sleep"))


def test_too_little_time(impatient: Impatient, described: StackTemplate):
    stack = impatient.stack
    first = eventually(lambda: stack.runs_of(HELD), "first run", 60)[0]
    assert first.ended_at - impatient.dropped_at >= TIMEOUT_S
    assert not killing.alive(impatient.runtime)
    assert first.outcome == "failed"
    assert first.record["error"] is not None
    assert first.record["error"]["message"] == TIMED_OUT
    open_gate(impatient.root, HELD)
    # The other file's time-outs may come first.
    assert stack.final(HELD, patience_s=6 * TIMEOUT_S).attempt == 2


@pytest.mark.timeout(480)
def test_too_little_time_three_times(impatient: Impatient, described: StackTemplate):
    stack, key = impatient.stack, impatient.sleeping
    # Besides three time-outs, the Lambda starts three times, which takes a slow machine nearly as long.
    assert final_error(stack, described, key, patience_s=12 * TIMEOUT_S) == TIMED_OUT
    assert [run.outcome for run in stack.runs_of(key)] == ["failed", "failed", "dead-lettered"]
    assert verify_reconcile(stack, described, expected).outcomes[HELD] == "succeeded"
