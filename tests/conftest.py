"""Real stacks for the tests, on both backends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from xdist.remote import Producer

from runner.template import stack_template
from runner.testing.docker_stack import DockerStack
from runner.testing.stacks import Stack
from tests.support import account as accounts
from tests.support import digests, scheduling
from tests.support.stacks import ROOT, Supervised, running, running_in_docker

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
