"""Many runs leave no memory, files or open descriptors behind in a Lambda."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.testing.stacks import Stack, eventually
from tests.support import killing
from tests.support.soak import resident_mb
from tests.support.stacks import TIDE

ALLOWED = {"memory in MB": 10, "open descriptors": 2}  # growth


@pytest.fixture
def stack(embedded_stack: Stack) -> Stack:
    """Use the stack whose processes are on this machine."""
    return embedded_stack


def lambdas(stack: Stack) -> dict[int, dict[str, float]]:
    """Return for each Lambda's process how much it holds."""
    found = {}
    for pid in killing.pids(stack, "runtime"):
        memory_mb = resident_mb(pid)
        assert memory_mb, "a Lambda has exited"
        found[pid] = {"memory in MB": memory_mb, "open descriptors": len(list(Path(f"/proc/{pid}/fd").iterdir()))}
    return found


def send(stack: Stack, first: int, last: int) -> None:
    """Drop different files and wait until all are processed."""
    lines = TIDE.read_bytes()
    for number in range(first, last):
        stack.put(lines.replace(b"-0.105", b"-%05.3f" % (number / 1000)), f"leaks/{number}/{TIDE.name}")
    done = f"leaks/{last - 1}/"
    eventually(
        lambda: sum("leaks/" in i["key"] for r in stack.state.runs.after(0) for i in r.record["inputs"]) >= last,
        done,
        240,
    )


def samples(stack: Stack, first: int, last: int) -> dict[int, list[dict[str, float]]]:
    """Call `lambdas` after every twenty files, because uncollected garbage varies."""
    found: dict[int, list[dict[str, float]]] = {}
    for start in range(first, last, 20):
        send(stack, start, start + 20)
        for pid, seen in lambdas(stack).items():
            found.setdefault(pid, []).append(seen)
    return found


@pytest.mark.timeout(400)
def test_many_runs_leave_nothing_behind(stack: Stack):
    before = samples(stack, 0, 60)
    after = samples(stack, 60, 120)
    assert after.keys() == before.keys(), "a Lambda was restarted"
    for pid in after:
        for what, allowed in ALLOWED.items():
            least, most = min(one[what] for one in after[pid]), max(one[what] for one in before[pid])
            assert least - most <= allowed, (what, before, after)  # a leak only ever rises
    outcomes = {r.outcome for r in stack.state.runs.after(0) for i in r.record["inputs"] if "leaks/" in i["key"]}
    assert outcomes == {"succeeded"}
    leftovers = [path.name for path in (stack.data / "state").glob("lambda-*/*") if path.name not in ("mpl", ".cache")]
    assert not leftovers
