"""Real stacks for the tests, on both backends."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import account as accounts
import digests
import hypothesis
import pytest
import scheduling
from xdist.remote import Producer

from runner.aws import clients
from runner.template import stack_template
from runner.testing.plugin import require_docker
from runner.testing.stacks import DockerStack, EmbeddedStack, Stack, environment

ROOT = Path.cwd()
SAMPLES = ROOT / "data" / "samples"
REAL = ROOT.parent / "shared" / "data"
# Each has to import tsdat, which keeps a processor busy for seconds.
ONE_LAMBDA = {"LAMBDA_CONCURRENCY": "1"}


# A busy machine is no fault of the code.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order them for several workers; who runs them in one process hears of short tests first."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: scheduling.place(item.nodeid.split("::")[0]))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> scheduling.Together:
    config.option.loadscopereorder = False
    return scheduling.Together(config, log)


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
                words = ("localstack_main", "aws-lambda-rie", "runner poll", "runner watch")
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


@pytest.fixture(scope="session")
def embedded_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    """One embedded stack for all tests that leave it as they found it."""
    with running(tmp_path_factory.mktemp("embedded"), LAMBDA_CONCURRENCY="2") as made:
        yield made


@pytest.fixture(scope="session")
def docker_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerStack]:
    """One Docker stack for all tests that leave it as they found it."""
    with running_in_docker(tmp_path_factory.mktemp("docker"), LAMBDA_CONCURRENCY="2") as made:
        yield made


@pytest.fixture(params=["embedded", "docker"])
def stack(request: pytest.FixtureRequest) -> Stack:
    """One after the other, both backends."""
    return request.getfixturevalue(f"{request.param}_stack")


@pytest.fixture(scope="session")
def digest_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of the fault tests: so little memory that a container can soon use it up, ten messages at once."""
    folder = tmp_path_factory.mktemp("digests") / "project"
    return digests.project(folder, MemorySize="MemorySize: 600", BatchSize="BatchSize: 10")


@pytest.fixture(scope="session")
def embedded_digests(digest_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    """A stack with that project: what its one Lambda does can be foretold, whatever is killed."""
    with running(tmp_path_factory.mktemp("embedded-digests"), RUNNER_ROOT=str(digest_project)) as made:
        yield made


@pytest.fixture(scope="session")
def docker_digests(digest_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerStack]:
    """The same in a container, with a small /tmp and all else as plain `docker compose up` has it."""
    data = tmp_path_factory.mktemp("docker-digests")
    plain = {"RUNNER_ROOT": str(digest_project), "LAMBDA_MEMORY_MB": ""}
    with running_in_docker(data, "tests/faults/compose.yaml", **plain) as made:
        yield made


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[accounts.Account]:
    """An account in which a deployment is rehearsed, and what `sam build` made ready to go there."""
    with accounts.account(tmp_path_factory.mktemp("account")) as made:
        made.sam("build")
        yield made


@pytest.fixture(scope="session")
def described() -> stack_template.StackTemplate:
    """What template.yaml says."""
    return stack_template.load(ROOT / "template.yaml")


def queue_depths(stack: Stack, described: stack_template.StackTemplate) -> dict[str, int]:
    """How many messages are in the queue (waiting and in flight) and in the dead-letter queue."""
    sqs = clients.local_sqs(stack.endpoint_url)
    depths = {}
    for name in (described.queue_name, described.dead_letter_queue_name):
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        depths[name] = int(got["ApproximateNumberOfMessages"]) + int(got["ApproximateNumberOfMessagesNotVisible"])
    return depths
