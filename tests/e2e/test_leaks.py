"""Two hundred runs leave nothing behind in a Lambda: no memory, no files, no open descriptors."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.testing.stacks import Stack, eventually
from tests.support import killing
from tests.support.soak import resident_mb
from tests.support.stacks import SAMPLES

TIDE = next((SAMPLES / "tide_gauge").glob("*/*.log"))
ALLOWED = {"memory in MB": 10, "open descriptors": 2}  # growth


@pytest.fixture
def stack(embedded_stack: Stack) -> Stack:
    """The Lambdas' processes are seen best without containers."""
    return embedded_stack


def lambdas(stack: Stack) -> dict[int, dict[str, float]]:
    """For each Lambda's process, how much it has of each that may not grow."""
    found = {}
    for pid in killing.pids(stack, "runtime"):
        memory_mb = resident_mb(pid)
        assert memory_mb, "a Lambda has ended"
        found[pid] = {"memory in MB": memory_mb, "open descriptors": len(list(Path(f"/proc/{pid}/fd").iterdir()))}
    return found


def send(stack: Stack, first: int, last: int) -> None:
    """Have different files processed and wait for all of them."""
    lines = TIDE.read_bytes()
    for number in range(first, last):
        stack.put(lines.replace(b"-0.105", b"-%05.3f" % (number / 1000)), f"leaks/{number}/{TIDE.name}")
    done = f"leaks/{last - 1}/"
    eventually(
        lambda: sum("leaks/" in i["key"] for r in stack.state.runs.after(0) for i in r.record["inputs"]) >= last,
        done,
        240,
    )


def looks(stack: Stack, first: int, last: int) -> dict[int, list[dict[str, float]]]:
    """What `lambdas` says after every twenty files: garbage that awaits collection comes and goes."""
    found: dict[int, list[dict[str, float]]] = {}
    for start in range(first, last, 20):
        send(stack, start, start + 20)
        for pid, seen in lambdas(stack).items():
            found.setdefault(pid, []).append(seen)
    return found


@pytest.mark.timeout(500)  # two minutes on a machine that has other things to do
def test_two_hundred_runs_leave_nothing_behind(stack: Stack):
    before = looks(stack, 0, 60)
    send(stack, 60, 140)
    after = looks(stack, 140, 200)
    assert after.keys() == before.keys(), "a Lambda was restarted"
    for pid in after:
        for what, allowed in ALLOWED.items():
            least, most = min(look[what] for look in after[pid]), max(look[what] for look in before[pid])
            assert least - most <= allowed, (what, before, after)  # a leak only ever rises
    outcomes = {r.outcome for r in stack.state.runs.after(0) for i in r.record["inputs"] if "leaks/" in i["key"]}
    assert outcomes == {"succeeded"}
    leftovers = [path.name for path in (stack.data / "state").glob("lambda-*/*") if path.name not in ("mpl", ".cache")]
    assert not leftovers
