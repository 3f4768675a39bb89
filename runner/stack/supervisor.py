"""Starts child processes, keeps them running, and takes them along when it goes, also when it is killed."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runner.errors import StoppedError

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
# A child that dies sooner after its start than this is given time before the next start.
_SHORT_LIFE_S = 5.0
_LONGEST_WAIT_S = 10.0
# What is shown of a log: no more is read, for the log of a stack that has long been up is large.
_LAST_LINES = 15
_LAST_BYTES = 16_384


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends, however it ends (prctl(2))."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Stop:
    """Whether somebody asked this process to end.

    Signal handlers only set it and whoever waits looks at it: an exception that a handler raises can come out anywhere,
    and get lost there.
    """

    def __init__(self, *signals: signal.Signals) -> None:
        self.requested = False
        for number in signals:
            signal.signal(number, self._request)

    def _request(self, *_: object) -> None:
        self.requested = True

    def pause(self, seconds: float) -> None:
        """Wait a little.

        Raises:
            StoppedError: somebody asked to end.
        """
        if not self.requested:
            time.sleep(seconds)
        if self.requested:
            raise StoppedError("ended; what was not finished will be taken up at the next start")


@dataclass
class Child:
    """A process that has to run, and how to run it."""

    name: str
    argv: Sequence[str | Path]
    env: Mapping[str, str]
    log: Path | None = None
    """Where its output goes; None for the terminal."""
    cwd: Path | None = None
    pass_fds: tuple[int, ...] = ()
    niceness: int = 0
    """How much it gives way to the others when processors are short (nice(2))."""
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    deaths: int = 0

    def start(self) -> None:
        """Start it, in a process group of its own so that Ctrl-C reaches the supervisor only.

        But in the same session: Linux shares processors between sessions first, and niceness counts only within one.
        """
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(self.log.open("ab")) if self.log else None
            self.process = subprocess.Popen(
                list(map(str, self.argv)), env=dict(self.env), cwd=self.cwd, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT if output else None, process_group=0, pass_fds=self.pass_fds,
                preexec_fn=self._prepare,  # noqa: PLW1509  the supervisor has one thread
            )  # fmt: skip
        self.started_at = time.monotonic()

    def _prepare(self) -> None:
        die_with_parent()
        os.nice(self.niceness)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal to it and to what it started."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def last_words(self) -> str:
        """The end of its log."""
        if not self.log or not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LAST_BYTES))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-_LAST_LINES:])


@dataclass
class Supervisor:
    """A set of children. Use it from one thread."""

    say: Callable[[str], None]
    children: list[Child] = field(default_factory=list)

    def start(self, child: Child) -> None:
        """Start a child and look after it from now on."""
        child.start()
        self.children.append(child)

    def tend(self) -> None:
        """Start again what has died; call it often."""
        now = time.monotonic()
        for child in self.children:
            if child.process is None and now >= child.start_at:
                child.start()
            elif child.process is not None and not child.alive:
                self._mourn(child, now)

    def _mourn(self, child: Child, now: float) -> None:
        short = now - child.started_at < _SHORT_LIFE_S
        child.deaths = child.deaths + 1 if short else 1
        wait_s = min(_LONGEST_WAIT_S, 2.0 ** (child.deaths - 1)) if child.deaths > 1 else 0.0
        code = child.process.returncode if child.process else 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        self.say(f"{child.name} {how}; starting it again" + (f" in {wait_s:.0f} s" if wait_s else ""))
        if short and child.deaths > 1 and child.log:
            self.say(f"its last words ({child.log}):\n{child.last_words()}")
        child.signal(signal.SIGKILL)  # what it had started
        child.process, child.start_at = None, now + wait_s

    def stop(self, patience_s: float = 1.0, at_once: Sequence[str] = ()) -> None:
        """End all children: ask first, except those named in `at_once`, then kill."""
        for child in self.children:
            child.signal(signal.SIGKILL if child.name in at_once else signal.SIGTERM)
        deadline = time.monotonic() + patience_s
        while any(child.alive for child in self.children) and time.monotonic() < deadline:
            time.sleep(0.01)
        for child in self.children:
            child.signal(signal.SIGKILL)
            if child.process:
                child.process.wait()
        self.children.clear()


def python(*arguments: str) -> list[str]:
    """The command line of this Python with arguments."""
    return [sys.executable, *arguments]
