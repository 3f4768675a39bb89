"""The first process of the local stack's Lambda containers: holds the image that ships to what template.yaml says.

Compose cannot read the template, so `compose.prepare` puts this file into a volume, beside the function's environment.
It imports nothing but the standard library, because the image has nothing else for it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

ENVIRONMENT = "environment.json"
_ENTRYPOINT = "/lambda-entrypoint.sh"
# Looks again before the rest of the memory can be used up: nothing fills it faster than this.
_MOST_BYTES_PER_S = 4 << 30
_LOOK_EVERY_S = (0.02, 0.25)


def container_bytes(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """What the kernel lets this container use, with cgroup 2 or 1."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # not there, or "max"
            return int((cgroup / name).read_text())
    return sys.maxsize


def sizes(ancestor: int) -> dict[int, int]:
    """Bytes in memory of all processes that come from one, by process id."""
    parents, found = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            fields = stat.read_text().rsplit(")", 1)[1].split()
            parents[int(stat.parent.name)] = int(fields[1]), int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    family, size = {ancestor}, 0
    while len(family) != size:
        size = len(family)
        found = {pid: held for pid, (parent, held) in parents.items() if parent in family}
        family |= found.keys()
    return found


def is_given(name: str) -> bool:
    """Whether the container's own value counts more: where S3 is, a person's log level, the debugger's long timeout."""
    return bool(os.environ.get(name)) and (name == "LOG_LEVEL" or name.startswith("AWS_"))


def guard(emulator: subprocess.Popen[bytes], most_bytes: int) -> int:
    """End what uses more memory than the function has, as Lambda does; gives the emulator's exit status."""
    soonest_s, latest_s = _LOOK_EVERY_S
    while emulator.poll() is None:
        running = sizes(emulator.pid)
        left = most_bytes - sum(running.values())
        if left < 0:
            for pid in running:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(min(latest_s, max(soonest_s, left / _MOST_BYTES_PER_S)))
    return emulator.returncode


def main(handler: str) -> None:
    """Become the emulator, or stay beside it where the container may use more memory than the function."""
    described = json.loads(Path(__file__).with_name(ENVIRONMENT).read_text())
    os.environ.update({name: value for name, value in described.items() if not is_given(name)})
    command = [_ENTRYPOINT, handler]
    most_bytes = int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]) * 1024 * 1024
    if container_bytes() <= most_bytes:
        os.execv(_ENTRYPOINT, command)  # noqa: S606  the image's own
    sys.exit(guard(subprocess.Popen(command), most_bytes))


if __name__ == "__main__":
    main(*sys.argv[1:])
