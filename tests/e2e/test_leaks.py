"""Two hundred runs leave nothing behind in a Lambda: no memory, no files, no open descriptors."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from conftest import SAMPLES

from runner.backends import Stack, eventually

TIDE = next((SAMPLES / "tide_gauge").glob("*/*.log"))
ALLOWED = {"memory in MB": 10, "open descriptors": 2}  # growth


@pytest.fixture
def stack(embedded_stack: Stack) -> Stack:
    """The Lambdas' processes are seen best without containers."""
    return embedded_stack


def lambdas(stack: Stack) -> dict[int, dict[str, int]]:
    """For each Lambda's process, how much it has of each that may not grow."""
    listing = subprocess.run(["ps", "-ww", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    found = {}
    for line in listing.splitlines():
        pid, command = line.split(None, 1)
        folder = Path("/proc", pid)
        if "-m runner.bootstrap" in command and "aws-lambda-rie" not in command and belongs(folder, stack):
            resident_mb = int((folder / "status").read_text().split("VmRSS:")[1].split()[0]) // 1024
            found[int(pid)] = {"memory in MB": resident_mb, "open descriptors": len(list((folder / "fd").iterdir()))}
    return found


def belongs(folder: Path, stack: Stack) -> bool:
    """Whether a process works for this stack and not for another one on this machine."""
    return f"TMPDIR={stack.data / 'state'}" in (folder / "environ").read_text()


def send(stack: Stack, first: int, last: int) -> None:
    """Have different files processed and wait for all of them."""
    lines = TIDE.read_bytes()
    for number in range(first, last):
        stack.put(lines.replace(b"-0.105", b"-%05.3f" % (number / 1000)), f"leaks/{number}/{TIDE.name}")
    done = f"leaks/{last - 1}/"
    eventually(
        lambda: sum("leaks/" in i["key"] for r in stack.history.runs() for i in r.record["inputs"]) >= last, done, 240
    )


def looks(stack: Stack, first: int, last: int) -> dict[int, list[dict[str, int]]]:
    """What `lambdas` says after every twenty files: garbage that awaits collection comes and goes."""
    found: dict[int, list[dict[str, int]]] = {}
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
    outcomes = {r.outcome for r in stack.history.runs() for i in r.record["inputs"] if "leaks/" in i["key"]}
    assert outcomes == {"succeeded"}
    leftovers = [path.name for path in (stack.data / "state").glob("lambda-*/*") if path.name not in ("mpl", ".cache")]
    assert not leftovers
