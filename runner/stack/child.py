"""A child process and how to start it. The kernel kills it when its parent dies."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
# Read no more than this of a log: the log of a long-running stack is large.
_TAIL_LINES = 15
_TAIL_BYTES = 16_384


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it exits, for whatever reason (prctl(2))."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass
class Child:
    """A process that must run, and how to start it."""

    name: str
    argv: Sequence[str | Path]
    env: Mapping[str, str]
    log: Path | None = None
    """File for its output; None for the terminal."""
    cwd: Path | None = None
    pass_fds: tuple[int, ...] = ()
    niceness: int = 0
    """Added to its nice value; a higher value yields the CPU to other processes (nice(2))."""
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restart_at: float = 0.0
    short_runs: int = 0
    """How many times in a row it exited soon after its start."""

    def start(self) -> None:
        """Start it in its own process group, so that Ctrl-C reaches only the supervisor.

        It stays in the supervisor's session: Linux divides CPU time between sessions first, and niceness counts only
        within a session.
        """
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(self.log.open("ab")) if self.log else None
            self.process = subprocess.Popen(
                list(map(str, self.argv)), env=dict(self.env), cwd=self.cwd, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT if output else None, process_group=0, pass_fds=self.pass_fds,
                preexec_fn=self._before_exec,  # noqa: PLW1509  the supervisor has one thread
            )  # fmt: skip
        self.started_at = time.monotonic()

    def _before_exec(self) -> None:
        die_with_parent()
        os.nice(self.niceness)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    @property
    def exited(self) -> bool:
        """Whether it was started and no longer runs."""
        return self.process is not None and self.process.poll() is not None

    @property
    def due(self) -> bool:
        """Whether it waits for a restart and its delay has passed."""
        return self.process is None and time.monotonic() >= self.restart_at

    def signal(self, number: int) -> None:
        """Send a signal to its process group."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def log_tail(self) -> str:
        """Return the last lines of its log."""
        if not self.log or not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-_TAIL_LINES:])
