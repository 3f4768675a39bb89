"""The stacks of the fault tests, on both backends; afterwards `runner reconcile` has to confirm every outcome."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.template.stack_template import StackTemplate
from runner.testing.docker_stack import DockerStack
from runner.testing.stacks import Stack
from tests.support import digests
from tests.support.commands import verify_reconcile
from tests.support.stacks import BACKENDS, Supervised, running, running_in_docker


@pytest.fixture(scope="session")
def digest_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the project: batches of ten, and so little memory that a test can exhaust it."""
    folder = tmp_path_factory.mktemp("digests") / "project"
    return digests.project(folder, MemorySize="MemorySize: 600", BatchSize="BatchSize: 10")


@pytest.fixture(scope="package")
def embedded_digests(
    digest_project: Path, described: StackTemplate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Supervised]:
    """Start an embedded stack; it has one Lambda, so that tests know which process has a file."""
    with running(tmp_path_factory.mktemp("embedded-digests"), RUNNER_ROOT=str(digest_project)) as stack:
        yield stack
        verify_reconcile(stack, described, digests.expected)


@pytest.fixture(scope="package")
def docker_digests(
    digest_project: Path, described: StackTemplate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DockerStack]:
    """Start a Docker stack with a small /tmp, and otherwise as plain `docker compose up` does."""
    data = tmp_path_factory.mktemp("docker-digests")
    plain = {"RUNNER_ROOT": str(digest_project), "LAMBDA_MEMORY_MB": ""}
    with running_in_docker(data, "tests/faults/compose.yaml", **plain) as stack:
        yield stack
        verify_reconcile(stack, described, digests.expected)


@pytest.fixture(params=BACKENDS)
def stack(request: pytest.FixtureRequest) -> Stack:
    """Return the stack of each backend."""
    return request.getfixturevalue(f"{request.param}_digests")
