"""What the stacks for tests have in common; used by `runner.testing`."""

from __future__ import annotations

import os
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from runner.errors import StackError
from runner.messages.run_record import FINAL
from runner.settings import CHECKOUT
from runner.state.database import State
from runner.state.runs import Run

T = TypeVar("T")
# How this machine reaches package registries, for the environments that scripts create at their first use.
_REGISTRY_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX")


def eventually(look: Callable[[], T], what: str, patience_s: float = 30.0) -> T:
    """Call `look` until it returns a true value, and return that; call a slow function less often.

    Args:
        what: what is expected, for the error.

    Raises:
        StackError: `patience_s` seconds have passed.
    """
    deadline = time.monotonic() + patience_s
    while (began := time.monotonic()) < deadline:
        found = look()
        if found:
            return found
        time.sleep(min(0.5, max(0.02, 9 * (time.monotonic() - began))))
    raise StackError(f"no {what} within {patience_s:.0f} s")


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a user's shell, without variables of AWS or of this test run."""
    names = ("PATH", "HOME", "LANG", "DOCKER_HOST", "EMULATOR", *_REGISTRY_VARIABLES)
    return {
        **{name: os.environ[name] for name in names if name in os.environ},
        "PYTHONPATH": str(CHECKOUT),
        "RUNNER_WEB": "false",
        "PAGE_REPLICAS": "0",
        **more,
    }


class Stack(ABC):
    """A running stack with a data folder: put files into its inbox and read the results."""

    def __init__(self, data: Path) -> None:
        self.data, self.inbox, self.outputs = data, data / "inbox", data / "outputs"
        self.inbox.mkdir(parents=True, exist_ok=True)
        self.start()
        self.state = State(data / "state")

    @abstractmethod
    def start(self) -> None:
        """Start it and wait until it is ready for files."""

    @abstractmethod
    def stop(self) -> float:
        """Stop it; return how many seconds that took."""

    @property
    @abstractmethod
    def text(self) -> str:
        """What it has printed so far."""

    @property
    @abstractmethod
    def endpoint_url(self) -> str:
        """Where its S3 and SQS listen."""

    def put(self, source: Path | bytes, key: str) -> Path:
        """Copy a file into the inbox as `cp` would; return its path there."""
        target = self.inbox / key
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(source, bytes):
            target.write_bytes(source)
        else:
            shutil.copyfile(source, target)
        return target

    def runs_of(self, key: str) -> list[Run]:
        """Return all runs with this key among their inputs."""
        found = self.state.runs.newest(name=key)
        return [run for run in found if key in [item["key"] for item in run.record["inputs"]]][::-1]

    def finished(self, key: str) -> list[Run]:
        """Return the runs of a key whose outcome is final."""
        return [run for run in self.runs_of(key) if run.outcome in FINAL]

    def final(self, key: str, count: int = 1, patience_s: float = 60.0) -> Run:
        """Wait until `count` runs of a key have finished; return the last.

        Raises:
            StackError: `patience_s` seconds have passed; the text includes what the stack has printed.
        """
        try:
            eventually(lambda: len(self.finished(key)) >= count, f"outcome of {key}", patience_s)
        except StackError as error:
            raise StackError(f"{error}; output of the stack:\n{self.text}") from None
        return self.finished(key)[-1]

    def mirrored(self, run: Run) -> list[Path]:
        """Return the paths of a run's outputs; they are in the outputs folder before the run is recorded."""
        return [self.outputs / output["key"] for output in run.record["outputs"]]
