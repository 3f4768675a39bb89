"""Kills the stack's processes, on both backends, and proves that they are gone and others have come."""

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
from tests.support.containers import containers, docker, processes

# A word of the command line of each kind, without Docker and with it.
_WORDS = {
    "watcher": ("runner watch",), "poller": ("runner poll",), "emulator": ("aws-lambda-rie",),
    "runtime": ("-m runner.stack.lambda_runtime", "runtime/bootstrap"),
    "localstack": ("localstack_entrypoint", "localstack.runtime"),
}  # fmt: skip
# What only starts another process and names its words too.
_STARTERS = ("docker-init", "/sbin/init", "tini ")


def _state(pid: int) -> str:
    """The letter that Linux has for it; Z when there is no such process either."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    return _state(pid) != "Z"


def family(stack: Stack) -> dict[int, str]:
    """Command lines of all the stack's processes, by process id on this machine."""
    if isinstance(stack, DockerStack):
        return _contained(stack)
    top = cast(EmbeddedStack, stack).process.pid
    listing = _output("ps", "-ww", "-eo", "pid=,ppid=,args=")
    lines = [line.split(None, 2) for line in listing.splitlines()]
    found, size = {top}, 0
    while len(found) != size:
        size = len(found)
        found |= {int(pid) for pid, parent, *_ in lines if int(parent) in found}
    return {int(pid): " ".join(args) for pid, _, *args in lines if int(pid) in found}


def _contained(stack: DockerStack) -> dict[int, str]:
    label = f"label=com.docker.compose.project={stack.project}"
    found = {}
    for container in _output("docker", "ps", "--quiet", "--filter", label).split():
        found |= processes(container)
    return found


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def pids(stack: Stack, kind: str) -> set[int]:
    """The processes of a kind that live now."""
    return {
        pid
        for pid, command in family(stack).items()
        if any(word in command for word in _WORDS[kind])
        and not any(word in command for word in _STARTERS)
        and (kind == "emulator" or "aws-lambda-rie" not in command)
        and alive(pid)
    }


def the(stack: Stack, kind: str) -> int:
    """The one process of a kind."""
    (pid,) = eventually(lambda: pids(stack, kind), kind)
    return pid


def kill(stack: Stack, pid: int) -> None:
    """kill -9, and proof that it is gone."""
    assert alive(pid)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not alive(pid), f"death of {pid}", 5)


def successor(stack: Stack, kind: str, dead: int) -> int:
    """The process that came in a dead one's place."""
    (pid,) = eventually(lambda: pids(stack, kind) - {dead}, f"new {kind}")
    assert pid != dead
    assert not alive(dead)
    return pid


@contextlib.contextmanager
def paused(pid: int) -> Iterator[None]:
    """Hold a process still during the body, and prove that it is."""
    os.kill(pid, signal.SIGSTOP)
    try:
        eventually(lambda: _state(pid) == "T", f"standstill of {pid}", 5)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):  # the body may have ended it
            os.kill(pid, signal.SIGCONT)


def address(stack: DockerStack, service: str) -> str:
    """Where a service's one container is in its network."""
    (container,) = containers(stack.project, service)
    return docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container)
