"""Stacks for tests, of either backend, each with folders, ports and names of its own; used by `runner.testing`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, TypeVar

from runner.errors import StackError
from runner.messages.run_record import FINAL
from runner.settings import CHECKOUT
from runner.stack import docker_compose
from runner.stack.ports import free_port
from runner.state.database import State
from runner.state.runs import Run
from runner.template import stack_template

T = TypeVar("T")
# How this machine reaches packages, for the environments that scripts make at their first use.
_FETCHING = ("SSL_CERT_FILE", "PIP_CERT", "PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX")


def eventually(look: Callable[[], T], what: str, patience_s: float = 30.0) -> T:
    """Wait until `look` finds something, and give it; a costly look comes less often, and leaves time to others.

    Raises:
        StackError: it did not in `patience_s` seconds.
    """
    deadline = time.monotonic() + patience_s
    while (began := time.monotonic()) < deadline:
        found = look()
        if found:
            return found
        time.sleep(min(0.5, max(0.02, 9 * (time.monotonic() - began))))
    raise StackError(f"after {patience_s:.0f} s still no {what}")


def environment(**more: str) -> dict[str, str]:
    """What a user's shell would hold, without anything that speaks of AWS or of this test run."""
    kept = {
        name: os.environ[name] for name in ("PATH", "HOME", "LANG", "DOCKER_HOST", *_FETCHING) if name in os.environ
    }
    return {**kept, "PYTHONPATH": str(CHECKOUT), **more}


class Stack:
    """A running stack on a data folder: put files into its inbox and see what becomes of them."""

    def __init__(self, data: Path) -> None:
        self.data, self.inbox, self.outputs = data, data / "inbox", data / "outputs"
        self.inbox.mkdir(parents=True, exist_ok=True)
        self.start()
        self.state = State(data / "state")

    def start(self) -> None:
        """Start it and wait until it is ready for files."""
        raise NotImplementedError

    def stop(self) -> float:
        """End it; gives the seconds until the end."""
        raise NotImplementedError

    @property
    def text(self) -> str:
        """What it has said so far."""
        raise NotImplementedError

    @property
    def endpoint_url(self) -> str:
        """Where its S3 and SQS answer."""
        raise NotImplementedError

    def put(self, source: Path | bytes, key: str) -> Path:
        """Copy a file into the inbox as `cp` would."""
        target = self.inbox / key
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(source, bytes):
            target.write_bytes(source)
        else:
            shutil.copyfile(source, target)
        return target

    def runs_of(self, key: str) -> list[Run]:
        """All runs that had this key among their inputs."""
        found = self.state.runs.newest(name=key)
        return [run for run in found if key in [item["key"] for item in run.record["inputs"]]][::-1]

    def ended(self, key: str) -> list[Run]:
        """Those of its runs that are final."""
        return [run for run in self.runs_of(key) if run.outcome in FINAL]

    def final(self, key: str, count: int = 1, patience_s: float = 60.0) -> Run:
        """The last run of a key, once it has come to an end `count` times.

        Raises:
            StackError: it did not in `patience_s` seconds; the text holds what the stack has said.
        """
        try:
            eventually(lambda: len(self.ended(key)) >= count, f"end of {key}", patience_s)
        except StackError as error:
            raise StackError(f"{error}; the stack said:\n{self.text}") from None
        return self.ended(key)[-1]

    def mirrored(self, run: Run) -> list[Path]:
        """Return the files of a run's outputs: they are in the folder before the run is recorded."""
        return [self.outputs / output["key"] for output in run.record["outputs"]]


class EmbeddedStack(Stack):
    """`runner up --embedded`, as a user starts it."""

    options: tuple[str, ...] = ("--embedded", "--port", "0")

    def __init__(self, data: Path, *options: str, **variables: str) -> None:
        self._more, self._variables = options, variables
        self._log = data / "up.log"
        super().__init__(data)

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        command = [sys.executable, "-m", "runner", "up", *self.options, "--data", str(self.data), *self._more]
        with self._log.open("a") as log:
            said_before = log.tell()
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment(**self._variables))

        def is_ready() -> bool:
            return b"\nready in" in self._log.read_bytes()[said_before:] or self.process.poll() is not None

        try:
            eventually(is_ready, "sign of the stack", 150)
        except StackError as error:
            self.process.kill()
            self.process.wait()
            raise StackError(f"{error}:\n{self.text}") from None
        if self.process.poll() is not None:
            raise StackError(f"The stack did not start:\n{self.text}")

    def stop(self) -> float:
        """Press Ctrl-C."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=20)
        self.state.close()
        return time.monotonic() - began

    @property
    def text(self) -> str:
        """What it has written to its terminal."""
        return self._log.read_text()

    @property
    def endpoint_url(self) -> str:
        """As it notes it for `runner run`."""
        return str(json.loads((self.data / "state" / "stack.json").read_text())["endpoint_url"])


class DockerStack(Stack):
    """The services of compose.yaml under a project name of their own, through testcontainers."""

    _built: ClassVar[set[tuple[str, ...]]] = set()

    def __init__(self, data: Path, *, files: tuple[str, ...] = (), **variables: str) -> None:
        from testcontainers.compose import DockerCompose

        root = CHECKOUT
        data.mkdir(parents=True, exist_ok=True)
        self.project = f"tsdat-test-{uuid.uuid4().hex[:8]}"
        own = {
            "COMPOSE_PROJECT_NAME": self.project,
            "RUNNER_DATA": str(data),
            "LOCALSTACK_PORT": str(free_port()),
            **docker_compose.variables(stack_template.load(Path(variables.get("RUNNER_ROOT", root), "template.yaml"))),
            **variables,
        }
        self._env_file = data / "compose.env"
        self._env_file.write_text(compose_env(own))
        env_files = [str(path) for path in (root / ".env", self._env_file) if path.exists()]
        self._files = files
        self.compose = DockerCompose(root, compose_file_name=["compose.yaml", *files], wait=True, env_file=env_files)
        super().__init__(data)

    def start(self) -> None:
        """Build what has changed before this process, and start all services, until each says that it is ready."""
        self.compose.build = self._files not in self._built  # to find that nothing has changed takes a second or more
        try:
            self.compose.start()
            self._built.add(self._files)
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace")[-3000:]
            logs = self.text[-3000:]
            self.compose.stop()
            raise StackError(f"docker compose up failed:\n{said}\n{logs}") from error

    def stop(self) -> float:
        """Remove its containers and its network."""
        began = time.monotonic()
        try:
            self.compose.stop()
        except subprocess.CalledProcessError:  # a container that was just starting again still held the network
            self.compose.stop()
        self.state.close()
        return time.monotonic() - began

    @property
    def text(self) -> str:
        """All services' logs."""
        return self.compose.get_logs()[0]

    @property
    def endpoint_url(self) -> str:
        """On this machine, at a port that Docker chose."""
        return f"http://127.0.0.1:{self.compose.get_service_port('localstack', 4566)}"


def compose_env(variables: Mapping[str, str]) -> str:
    """Variables as `docker compose --env-file` reads them."""
    return "".join(f"{name}='{value}'\n" for name, value in variables.items())
