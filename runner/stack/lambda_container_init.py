"""The first process of a Lambda container in the local stack: applies the settings in template.yaml to the image.

Compose cannot read the template, so `docker_compose.prepare` writes the function's environment next to this file, in a
volume. It imports only the standard library, because it runs in the image that ships.
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
# Check memory again before the remaining part can be filled at this rate, which no process exceeds.
_MAX_BYTES_PER_S = 4 << 30
_CHECK_INTERVAL_S = (0.02, 0.25)


def container_limit_bytes(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the memory limit of this container, from cgroup 2 or 1."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # not there, or "max"
            return int((cgroup / name).read_text())
    return sys.maxsize


def resident_bytes(ancestor: int) -> dict[int, int]:
    """Return the resident memory of all descendants of a process, by process ID."""
    processes, found = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just exited
            fields = stat.read_text().rsplit(")", 1)[1].split()
            processes[int(stat.parent.name)] = int(fields[1]), int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    family, size = {ancestor}, 0
    while len(family) != size:
        size = len(family)
        found = {pid: resident for pid, (parent, resident) in processes.items() if parent in family}
        family |= found.keys()
    return found


def overrides_template(name: str) -> bool:
    """Return whether the container's own value has priority: the endpoint, a log level, the debugger's timeout."""
    return bool(os.environ.get(name)) and (name == "LOG_LEVEL" or name.startswith("AWS_"))


def enforce_memory(emulator: subprocess.Popen[bytes], limit_bytes: int) -> int:
    """Kill the runtime when it uses more memory than the function has, as Lambda does.

    Returns:
        The emulator's exit code.
    """
    shortest_s, longest_s = _CHECK_INTERVAL_S
    while emulator.poll() is None:
        processes = resident_bytes(emulator.pid)
        left = limit_bytes - sum(processes.values())
        if left < 0:
            for pid in processes:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(min(longest_s, max(shortest_s, left / _MAX_BYTES_PER_S)))
    return emulator.returncode


def main(handler: str) -> None:
    """Become the emulator, or supervise it if the container may use more memory than the function."""
    template = json.loads(Path(__file__).with_name(ENVIRONMENT).read_text())
    os.environ.update({name: value for name, value in template.items() if not overrides_template(name)})
    command = [_ENTRYPOINT, handler]
    limit_bytes = int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]) * 1024 * 1024
    if container_limit_bytes() <= limit_bytes:
        os.execv(_ENTRYPOINT, command)  # noqa: S606  the image's own entry point
    sys.exit(enforce_memory(subprocess.Popen(command), limit_bytes))


if __name__ == "__main__":
    main(*sys.argv[1:])
