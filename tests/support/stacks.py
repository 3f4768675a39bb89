"""Stacks for the tests of this repository, on both backends, and its command line."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.aws import clients
from runner.template import stack_template
from runner.testing.docker_stack import DockerStack
from runner.testing.embedded_stack import EmbeddedStack
from runner.testing.plugin import require_docker
from runner.testing.stacks import Stack, environment

ROOT = Path.cwd()
SAMPLES = ROOT / "data" / "samples"
REAL = ROOT.parent / "shared" / "data"
# Each has to import tsdat, which keeps a processor busy for seconds.
ONE_LAMBDA = {"LAMBDA_CONCURRENCY": "1"}


def runner(*arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    command = [sys.executable, "-m", "runner", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(**more), timeout=110, check=False)


class Supervised(EmbeddedStack):
    """A `runner up` whose processes can be found."""

    def children(self) -> dict[str, int]:
        """Process ids of the supervisor's children by a word of their command line."""
        found = {}
        listing = subprocess.run(
            ["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
        ).stdout
        for line in listing.splitlines():
            pid, parent, command = line.split(None, 2)
            if int(parent) == self.process.pid:
                words = ("localstack_entrypoint", "aws-lambda-rie", "runner poll", "runner watch")
                name = next((word for word in words if word in command), None)
                if name:  # else it is between fork and exec
                    found[name] = int(pid)
        return found


class UpWithDocker(EmbeddedStack):
    """`runner up --docker`, as a user starts it, under a compose project's name of its own."""

    options = ("--docker", "--port", "0")

    def __init__(self, data: Path, **variables: str) -> None:
        require_docker()
        self.project = f"tsdat-test-up-{uuid.uuid4().hex[:8]}"
        super().__init__(data, COMPOSE_PROJECT_NAME=self.project, **ONE_LAMBDA | variables)


@contextmanager
def running(data: Path, *options: str, **variables: str) -> Iterator[Supervised]:
    """An embedded stack for the body, with one Lambda unless told otherwise."""
    stack = Supervised(data, *options, **ONE_LAMBDA | variables)
    try:
        yield stack
    finally:
        stack.stop()


@contextmanager
def running_in_docker(data: Path, *files: str, **variables: str) -> Iterator[DockerStack]:
    """A Docker stack for the body, with more compose files beside compose.yaml; one Lambda unless told otherwise."""
    require_docker()
    stack = DockerStack(data, files=files, **ONE_LAMBDA | variables)
    try:
        yield stack
    finally:
        stack.stop()


@contextmanager
def running_on(backend: str, data: Path, root: Path) -> Iterator[Stack]:
    """A stack of either backend for the body, with a project of its own."""
    with (running_in_docker if backend == "docker" else running)(data, RUNNER_ROOT=str(root)) as made:
        yield made


def queue_depths(stack: Stack, described: stack_template.StackTemplate) -> dict[str, int]:
    """How many messages are in the queue (waiting and in flight) and in the dead-letter queue."""
    sqs = clients.local_sqs(stack.endpoint_url)
    depths = {}
    for name in (described.queue_name, described.dead_letter_queue_name):
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        depths[name] = int(got["ApproximateNumberOfMessages"]) + int(got["ApproximateNumberOfMessagesNotVisible"])
    return depths
