"""A stack for tests with Docker, as a separate compose project."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from runner.errors import StackError
from runner.settings import CHECKOUT
from runner.stack import docker_compose
from runner.stack.ports import free_port
from runner.template import stack_template
from runner.testing.stacks import Stack


class DockerStack(Stack):
    """The services of compose.yaml with a unique project name, started by testcontainers."""

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
            "PAGE_REPLICAS": "0",
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
        """Build the images once per process, start all services and wait until each is healthy."""
        self.compose.build = self._files not in self._built  # a build without changes still takes a second
        try:
            self.compose.start()
            self._built.add(self._files)
        except subprocess.CalledProcessError as error:
            errors = error.stderr.decode(errors="replace")[-3000:]
            logs = self.text[-3000:]
            self.compose.stop()
            raise StackError(f"docker compose up failed:\n{errors}\n{logs}") from error

    def stop(self) -> float:
        """Remove its containers and its network; return how many seconds that took."""
        began = time.monotonic()
        try:
            self.compose.stop()
        except subprocess.CalledProcessError:  # a container that was just restarting still held the network
            self.compose.stop()
        self.state.close()
        return time.monotonic() - began

    @property
    def text(self) -> str:
        """The logs of all services."""
        return self.compose.get_logs()[0]

    @property
    def endpoint_url(self) -> str:
        """The published port on this machine."""
        return f"http://127.0.0.1:{self.compose.get_service_port('emulator', 4566)}"


def compose_env(variables: Mapping[str, str]) -> str:
    """Return variables in the format of `docker compose --env-file`."""
    return "".join(f"{name}='{value}'\n" for name, value in variables.items())
