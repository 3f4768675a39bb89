"""Starts child processes, restarts those that exit, and stops them all."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from runner.errors import StoppedError
from runner.stack.child import Child

# A child that exits sooner than this after its start waits before its next restart.
_SHORT_RUN_S = 5.0
_LONGEST_DELAY_S = 10.0


class Stop:
    """Whether this process has received a signal to stop.

    The signal handlers only set a flag, and every wait checks it. An exception raised by a handler could surface
    anywhere and be swallowed there.
    """

    def __init__(self, *signals: signal.Signals) -> None:
        self.requested = False
        for number in signals:
            signal.signal(number, self._request)

    def _request(self, *_: object) -> None:
        self.requested = True

    def pause(self, seconds: float) -> None:
        """Sleep, unless a stop was requested.

        Raises:
            StoppedError: a stop was requested.
        """
        if not self.requested:
            time.sleep(seconds)
        if self.requested:
            raise StoppedError("stopped; unfinished files resume at the next start")


@dataclass
class Supervisor:
    """A set of children. Use it from one thread."""

    report: Callable[[str], None]
    children: list[Child] = field(default_factory=list)

    def start(self, child: Child) -> None:
        """Start a child and supervise it."""
        child.start()
        self.children.append(child)

    def restart_exited(self) -> None:
        """Restart children that have exited, with a growing delay if they keep exiting. Call it often."""
        for child in self.children:
            if child.exited:
                self._schedule_restart(child)
            elif child.due:
                child.start()

    def _schedule_restart(self, child: Child) -> None:
        now = time.monotonic()
        is_short = now - child.started_at < _SHORT_RUN_S
        child.short_runs = child.short_runs + 1 if is_short else 1
        delay_s = _restart_delay_s(child.short_runs)
        self.report(f"{child.name} {_exit_reason(child)}; restarting" + (f" in {delay_s:.0f} s" if delay_s else ""))
        if is_short and child.short_runs > 1 and child.log:
            self.report(f"the end of its log ({child.log}):\n{child.log_tail()}")
        child.signal(signal.SIGKILL)  # processes that it had started
        child.process, child.restart_at = None, now + delay_s

    def stop(self, timeout_s: float = 1.0, kill: Sequence[str] = ()) -> None:
        """Stop all children: SIGTERM first, then SIGKILL.

        Args:
            timeout_s: how long to wait between the two.
            kill: names of children that get SIGKILL at once.
        """
        for child in self.children:
            child.signal(signal.SIGKILL if child.name in kill else signal.SIGTERM)
        deadline = time.monotonic() + timeout_s
        while any(child.alive for child in self.children) and time.monotonic() < deadline:
            time.sleep(0.01)
        for child in self.children:
            child.signal(signal.SIGKILL)
            if child.process:
                child.process.wait()
        self.children.clear()


def _restart_delay_s(short_runs: int) -> float:
    return min(_LONGEST_DELAY_S, 2.0 ** (short_runs - 1)) if short_runs > 1 else 0.0


def _exit_reason(child: Child) -> str:
    code = child.process.returncode if child.process else 0
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
