"""`docker compose up` in a repository of its own, with the files that `runner init` wrote and no edit.

The repository has what tsdat's template once had: a Dockerfile and a docker-compose.yml for development.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.stack import image_context
from runner.stack.ports import free_port
from runner.testing.plugin import require_docker
from runner.testing.stacks import environment, eventually
from tests.support import roof_project

OLD = {"Dockerfile": "FROM tsdat/tsdat:0.2.10\n", "docker-compose.yml": "services: {dev: {build: .}}\n"}


def call(project: Path, *command: str) -> str:
    """Return the output of a command in the project's folder."""
    variables = {**environment(), "LOCALSTACK_PORT": str(free_port()), "LAMBDA_CONCURRENCY": "1"}
    done = subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    require_docker()
    project = roof_project.make(tmp_path / "My roof #1", **OLD)
    call(project, sys.executable, "-P", "-m", "runner", "init", "--yes")
    (project / "data/inbox").mkdir()
    if os.geteuid() == 0:  # the services become the owner of data/
        subprocess.run(["chown", "--recursive", "1000:1000", str(project)], check=True)
    try:
        yield project
    finally:
        call(project, "docker", "compose", "down", "--volumes", "--remove-orphans", "--timeout", "1")
        image = f"tsdat-local/lambda:{image_context.name_of(project)}"
        subprocess.run(["docker", "image", "rm", image], capture_output=True, check=False)


@pytest.mark.timeout(300)
def test_a_file_goes_through_the_stack_of_the_projects_own_compose_file(project: Path):
    call(project, "docker", "compose", "up", "--detach", "--wait", "--build")
    source = project / "data/roof.csv.part"
    source.write_bytes(roof_project.csv("20240501"))
    source.rename(project / "data/inbox/roof.20240501.csv")
    found = eventually(lambda: list((project / "data/outputs").rglob("*.nc")), "output", 60)
    assert [path.name for path in found] == ["lab.roof.b1.20240501.000000.nc"]
    # The image itself, without the folders mounted over it, has this project's pipelines and no other's.
    image = f"tsdat-local/lambda:{image_context.name_of(project)}"
    listed = call(project, "docker", "run", "--rm", "--entrypoint", "ls", image, "/var/task/pipelines").split()
    assert {name for name in listed if not name.startswith("__")} == {"roof"}
    assert {name: (project / name).read_text() for name in OLD} == OLD


def test_a_clone_without_env_is_reported_with_the_command_to_run(tmp_path: Path):
    require_docker()
    project = roof_project.make(tmp_path / "clone")
    call(project, sys.executable, "-P", "-m", "runner", "init", "--yes")
    (project / ".env").unlink()
    done = subprocess.run(
        ["docker", "compose", "config"], cwd=project, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "TSDAT_LOCAL is missing a value: run `runner init` in this folder, which writes .env" in done.stderr
