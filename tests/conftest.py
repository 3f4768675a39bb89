"""Stacks that tests share, on both backends, and the order of the tests."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest

from runner.template import stack_template
from runner.testing.docker_stack import DockerStack
from runner.testing.stacks import Stack
from tests.support import account as accounts
from tests.support.stacks import BACKENDS, ROOT, Supervised, running, running_in_docker

# pytest-xdist starts files in this order, so that the many short ones fill the end.
ORDER = ("faults", "e2e", "rehearsal")

# A slow machine is not a failure.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let several workers begin with the slow folders; a single process runs the short tests first."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: [*ORDER, item.path.parent.name].index(item.path.parent.name))


@pytest.fixture(scope="session")
def embedded_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    """Start one embedded stack for all tests that do not change its settings."""
    with running(tmp_path_factory.mktemp("embedded")) as stack:
        yield stack


@pytest.fixture(scope="session")
def docker_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerStack]:
    """Start one Docker stack for all tests that do not change its settings."""
    with running_in_docker(tmp_path_factory.mktemp("docker"), LAMBDA_CONCURRENCY="2") as stack:
        yield stack


@pytest.fixture(params=BACKENDS)
def stack(request: pytest.FixtureRequest) -> Stack:
    """Return the shared stack of each backend."""
    return request.getfixturevalue(f"{request.param}_stack")


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[accounts.Account]:
    """Return an account to rehearse deployments in, after `sam build`."""
    with accounts.account(tmp_path_factory.mktemp("account")) as account:
        account.sam("build")
        yield account


@pytest.fixture(scope="session")
def described() -> stack_template.StackTemplate:
    """Return the settings of template.yaml."""
    return stack_template.load(ROOT / "template.yaml")
