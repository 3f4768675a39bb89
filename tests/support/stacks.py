"""Stacks for the tests of this repository, on both backends, and its command line."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from runner.aws import clients
from runner.template import stack_template
from runner.testing.docker_stack import DockerStack
from runner.testing.embedded_stack import EmbeddedStack
from runner.testing.plugin import require_docker
from runner.testing.stacks import Stack, environment
from tests.support import killing, rights

ROOT = Path.cwd()
SHIPPED = stack_template.load(ROOT / "template.yaml")
SAMPLES = ROOT / "data" / "samples"
REAL = ROOT.parent / "shared" / "data"
BUOY = SAMPLES / "a2e_buoy_ingest" / "humboldt" / "buoy.z05.00.20201201.000000.zip"
TIDE = SAMPLES / "tide_gauge" / "mcrl" / "tide_20200112000000.log"
BACKENDS = ("embedded", "docker")
# Each Lambda imports tsdat, which occupies a processor for seconds.
ONE_LAMBDA = {"LAMBDA_CONCURRENCY": "1"}


def runner(*arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the runner."""
    command = [sys.executable, "-m", "runner", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(**more), timeout=110, check=False)


class Supervised(EmbeddedStack):
    """A `runner up` whose processes can be found, and which has the rights of an ordinary user."""

    def command(self) -> list[str]:
        """Return the command that starts it."""
        return [*rights.WITHOUT, *super().command()]

    @contextmanager
    def paused(self, *names: str) -> Iterator[None]:
        """Stop child processes during the body."""
        with ExitStack() as stopped:
            for pid in [self.children()[name] for name in names]:
                stopped.enter_context(killing.paused(pid))
            time.sleep(1.5)  # a long poll in progress would still receive a message; it ends unnoticed after a second
            yield

    def children(self) -> dict[str, int]:
        """Return the process IDs of the supervisor's children by a word of their command line."""
        found = {}
        listing = subprocess.run(
            ["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
        ).stdout
        for line in listing.splitlines():
            pid, parent, command = line.split(None, 2)
            if int(parent) == self.process.pid:
                words = (
                    "localstack_entrypoint",
                    "ministack_entrypoint",
                    "aws-lambda-rie",
                    "runner poll",
                    "runner watch",
                )
                name = next((word for word in words if word in command), None)
                if name:  # else it is between fork and exec
                    found["aws" if name.endswith("_entrypoint") else name] = int(pid)
        return found


class UpWithDocker(EmbeddedStack):
    """`runner up --docker`, as a user starts it, with a compose project name of its own."""

    options = ("--docker", "--port", "0")

    def __init__(self, data: Path, **variables: str) -> None:
        require_docker()
        self.project = f"tsdat-test-up-{uuid.uuid4().hex[:8]}"
        super().__init__(data, COMPOSE_PROJECT_NAME=self.project, **ONE_LAMBDA | variables)


@contextmanager
def running(data: Path, *options: str, **variables: str) -> Iterator[Supervised]:
    """Start an embedded stack for the body; it has one Lambda unless the variables set another number."""
    stack = Supervised(data, *options, **ONE_LAMBDA | variables)
    try:
        yield stack
    finally:
        stack.stop()


@contextmanager
def running_in_docker(data: Path, *files: str, **variables: str) -> Iterator[DockerStack]:
    """Start a Docker stack for the body, with compose files in addition to compose.yaml; see `running`."""
    require_docker()
    stack = DockerStack(data, files=files, **ONE_LAMBDA | variables)
    try:
        yield stack
    finally:
        stack.stop()


@contextmanager
def running_on(backend: str, data: Path, root: Path, **variables: str) -> Iterator[Stack]:
    """Start a stack of either backend for the body, with a project of its own."""
    with (running_in_docker if backend == "docker" else running)(data, RUNNER_ROOT=str(root), **variables) as made:
        yield made


def queue_depths(stack: Stack, described: stack_template.StackTemplate) -> dict[str, int]:
    """Return the number of messages, waiting and in flight, in the queue and in the dead-letter queue."""
    sqs = clients.local_sqs(stack.endpoint_url)
    depths = {}
    for name in (described.queue_name, described.dead_letter_queue_name):
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        depths[name] = int(got["ApproximateNumberOfMessages"]) + int(got["ApproximateNumberOfMessagesNotVisible"])
    return depths
