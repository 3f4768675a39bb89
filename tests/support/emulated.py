"""One emulator alone, without a stack, for tests of what it answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.settings import EmulatorName
from runner.stack import emulators, ports
from runner.stack.supervisor import Supervisor
from runner.testing.stacks import eventually


@contextmanager
def emulator(name: EmulatorName, state: Path, **variables: str) -> Iterator[str]:
    """Run an emulator for the body, which receives its endpoint.

    Args:
        state: a folder for its files and its log, `emulator.log`.
        variables: added to its environment.
    """
    made, supervisor = emulators.by_name(name), Supervisor(print)
    url = f"http://127.0.0.1:{ports.free_port()}"
    child = made.child(state, url, state / "emulator.log")
    child.env = {**child.env, **variables}
    supervisor.start(child)
    try:
        eventually(lambda: made.is_healthy(url) or child.exited, made.name)
        assert child.alive, child.log_tail()
        yield url
    finally:
        supervisor.stop(kill=[made.name])
