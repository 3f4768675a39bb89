"""A stack for tests without Docker, as a child process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from runner.errors import StackError
from runner.testing.stacks import Stack, environment, eventually


class EmbeddedStack(Stack):
    """`runner up --embedded`, started as a user would."""

    options: tuple[str, ...] = ("--embedded", "--port", "0")

    def __init__(self, data: Path, *options: str, **variables: str) -> None:
        self._options, self._variables = options, variables
        self._log = data / "up.log"
        super().__init__(data)

    def start(self) -> None:
        """Start it and wait until it prints that it is ready."""
        with self._log.open("a") as log:
            log_start = log.tell()
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, env=environment(**self._variables))

        def is_ready() -> bool:
            return b"\nready in" in self._log.read_bytes()[log_start:] or self.process.poll() is not None

        try:
            eventually(is_ready, "ready stack", 150)
        except StackError as error:
            self.process.kill()
            self.process.wait()
            raise StackError(f"{error}:\n{self.text}") from None
        if self.process.poll() is not None:
            raise StackError(f"The stack did not start:\n{self.text}")

    def command(self) -> list[str]:
        """Return the command that starts it."""
        return [sys.executable, "-m", "runner", "up", *self.options, "--data", str(self.data), *self._options]

    def stop(self) -> float:
        """Send SIGINT, as Ctrl-C does."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=20)
        self.state.close()
        return time.monotonic() - began

    @property
    def text(self) -> str:
        """What it has printed to its terminal."""
        return self._log.read_text()

    @property
    def endpoint_url(self) -> str:
        """From the file that `runner run` reads."""
        return str(json.loads((self.data / "state" / "stack.json").read_text())["endpoint_url"])
