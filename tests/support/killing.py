"""Find, pause and kill the processes of a stack, on both backends, and verify that they are gone and replaced."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from runner.testing.docker_stack import DockerStack
from runner.testing.embedded_stack import EmbeddedStack
from runner.testing.stacks import Stack, eventually
from tests.support import containers

# A word of each kind's command line: embedded, and in a container.
_WORDS = {
    "watcher": ("runner watch",), "poller": ("runner poll",), "page": ("runner page",),
    "emulator": ("aws-lambda-rie",),
    "runtime": ("-m runner.stack.lambda_runtime", "runtime/bootstrap"),
    "aws": ("localstack_entrypoint", "ministack_entrypoint", "localstack.runtime"),
}  # fmt: skip
# Processes that only start another one, whose command line contains its words too.
_STARTERS = ("docker-init", "/sbin/init", "tini ")


def _state(pid: int) -> str:
    """Return Linux's letter for a process's state; Z also when the process does not exist."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def alive(pid: int) -> bool:
    """Return whether a process exists and is no zombie."""
    return _state(pid) != "Z"


def processes_of(stack: Stack) -> dict[int, str]:
    """Return the command lines of all the stack's processes, by process ID on this machine."""
    if isinstance(stack, DockerStack):
        listed = containers.docker("ps", "--quiet", "--filter", f"label=com.docker.compose.project={stack.project}")
        return {pid: args for container in listed.split() for pid, args in containers.processes(container).items()}
    top = cast(EmbeddedStack, stack).process.pid
    listing = subprocess.run(["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
    lines = [line.split(None, 2) for line in listing.stdout.splitlines()]
    found, size = {top}, 0
    while len(found) != size:
        size = len(found)
        found |= {int(pid) for pid, parent, *_ in lines if int(parent) in found}
    return {int(pid): " ".join(args) for pid, _, *args in lines if int(pid) in found}


def pids(stack: Stack, kind: str) -> set[int]:
    """Return the IDs of the running processes of a kind."""
    return {
        pid
        for pid, command in processes_of(stack).items()
        if any(word in command for word in _WORDS[kind])
        and not any(word in command for word in _STARTERS)
        and (kind == "emulator" or "aws-lambda-rie" not in command)
        and alive(pid)
    }


def pid_of(stack: Stack, kind: str) -> int:
    """Return the ID of the only process of a kind."""
    (pid,) = eventually(lambda: pids(stack, kind), kind)
    return pid


def kill(stack: Stack, pid: int) -> None:
    """Send SIGKILL and wait until the process is gone."""
    assert alive(pid)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not alive(pid), f"death of {pid}", 5)


def replacement(stack: Stack, kind: str, dead: int) -> int:
    """Wait for the process that replaces a dead one, and return its ID."""
    (pid,) = eventually(lambda: pids(stack, kind) - {dead}, f"new {kind}")
    assert not alive(dead)
    return pid


@contextlib.contextmanager
def paused(pid: int) -> Iterator[None]:
    """Stop a process with SIGSTOP during the body."""
    os.kill(pid, signal.SIGSTOP)
    try:
        eventually(lambda: _state(pid) == "T", f"stop of {pid}", 5)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):  # the body may have killed it
            os.kill(pid, signal.SIGCONT)
