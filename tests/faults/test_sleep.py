"""A machine that sleeps in the middle of a run: nothing is lost, nothing runs twice, and no attempt is counted."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from runner.template.stack_template import StackTemplate
from runner.testing.stacks import Stack, eventually
from tests.support import killing
from tests.support.digests import expected, open_gate
from tests.support.outcomes import in_flight, verify_outcomes

LEASE_S = 10


def sleep(stack: Stack, seconds: float) -> None:
    """Stop every process of a stack at once, as a closed lid does."""
    pids = killing.processes_of(stack).keys()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def test_a_run_continues_after_a_sleep(stack: Stack, described: StackTemplate, digest_project: Path):
    key = f"sleep/noop.hold.slept.{type(stack).__name__}.txt"
    stack.put(key.encode(), key)
    eventually(lambda: in_flight(stack, described.queue_name), "message in flight")
    time.sleep(1)  # the run begins
    sleep(stack, LEASE_S + 3)
    time.sleep(3)  # the queue returns the message again
    open_gate(digest_project, key)
    run = stack.final(key)
    assert (run.outcome, run.attempt) == ("succeeded", 1), run.record["error"]
    stack.put(b"after", "sleep/noop.after.txt")
    assert stack.final("sleep/noop.after.txt").outcome == "succeeded"
    assert len(stack.runs_of(key)) == 1
    verify_outcomes(stack, described, expected)
