"""The processes of the embedded stack, from /proc: this one's siblings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

_NAMES = (
    ("localstack_entrypoint", "LocalStack"), ("ministack_entrypoint", "MiniStack"), ("aws-lambda-rie", "Lambda"),
    ("runner poll", "event source mapping"), ("runner watch", "watcher"), ("runner page", "live page"),
)  # fmt: skip
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Process(NamedTuple):
    """A process with the memory of itself and of its children."""

    name: str
    pid: int
    memory_mb: int
    up_s: int
    """Since its start: a small number after a restart."""


def stack_processes() -> list[Process]:
    """Return the processes of the stack that this one belongs to; none outside Linux or in a container."""
    if os.getppid() == 1:  # in a container, where the others are in containers of their own
        return []
    children = _children_by_parent()
    found = []
    for pid in children.get(os.getppid(), []):
        command = _read(pid, "cmdline").replace("\0", " ")
        name = next((name for word, name in _NAMES if word in command), None)
        if name:
            memory = sum(map(_memory_mb, [pid, *_descendants(pid, children)]))
            found.append(Process(name, pid, memory, _up_s(pid)))
    return sorted(found)


def _children_by_parent() -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        fields = _read(int(folder.name), "stat").rpartition(")")[2].split()
        if len(fields) > 1:
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    return children


def _descendants(pid: int, children: dict[int, list[int]]) -> list[int]:
    own = children.get(pid, [])
    return own + [below for child in own for below in _descendants(child, children)]


def _memory_mb(pid: int) -> int:
    for line in _read(pid, "status").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) // 1024
    return 0


def _up_s(pid: int) -> int:
    fields = _read(pid, "stat").rpartition(")")[2].split()
    try:
        uptime = float(Path("/proc/uptime").read_text().split()[0])
    except OSError:
        return 0
    return max(0, int(uptime - int(fields[19]) / _TICKS_PER_S)) if len(fields) > 19 else 0


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:  # it has exited
        return ""
