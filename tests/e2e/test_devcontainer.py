"""The dev container, created by the devcontainer CLI from a copy of this checkout, beside a stack of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.stack.ports import free_port
from runner.testing.plugin import require_docker
from runner.testing.stacks import environment, eventually
from tests.support.stacks import ROOT
from tests.support.tools import require_download, require_program

CLI_VERSION = "0.89.0"  # the newest for Node 20
SAMPLE = "data/samples/tide_gauge/mcrl/*.log"
BUCKETS = "import boto3; print(*(b['Name'] for b in boto3.client('s3').list_buckets()['Buckets']))"


class DevContainer:
    """The devcontainer CLI on one workspace."""

    def __init__(self, cli: Path, workspace: Path, project: str) -> None:
        self._cli, self.workspace, self.project = cli, workspace, project

    def call(self, verb: str, *arguments: str) -> str:
        """Return the output of a CLI command, run in the workspace, where the CLI looks for `.env`."""
        command = ["node", str(self._cli), verb, "--workspace-folder", str(self.workspace), *arguments]
        done = subprocess.run(
            command, cwd=self.workspace, env=environment(), capture_output=True, text=True, timeout=400, check=False
        )
        assert done.returncode == 0, f"devcontainer {verb}: {done.stdout[-2000:]}\n{done.stderr[-6000:]}"
        return done.stdout

    def inside(self, script: str) -> str:
        """Return the output of a shell script in the container."""
        return self.call("exec", "sh", "-ec", script)

    def remove(self) -> None:
        """Remove containers, volumes, network and untagged images."""
        files = ("--file", "compose.yaml", "--file", ".devcontainer/compose.yaml")
        down = ("down", "--volumes", "--rmi", "local", "--timeout", "1")  # local: those without a tag of their own
        self._docker("compose", *files, "--project-name", self.project, *down)

    def left(self) -> str:
        """Return the IDs of what Docker still has of the project."""
        kinds = (("ps", "--all"), ("volume", "ls"), ("network", "ls"))
        return "".join(self._docker(*kind, "--quiet", "--filter", self._label) for kind in kinds)

    @property
    def _label(self) -> str:
        return f"label=com.docker.compose.project={self.project}"

    def _docker(self, *arguments: str) -> str:
        done = subprocess.run(
            ["docker", *arguments], cwd=self.workspace, env=environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def cli() -> Path:
    """Return the CLI's script, which is downloaded once."""
    require_docker()
    require_program("npm", "it installs the devcontainer CLI")
    folder = Path.home() / ".cache" / "tsdat-local" / f"devcontainers-cli-{CLI_VERSION}"
    script = folder / "node_modules" / "@devcontainers" / "cli" / "devcontainer.js"
    if not script.exists():
        options = ("--no-audit", "--no-fund", "--prefix", str(folder))
        require_download("npm", "install", *options, f"@devcontainers/cli@{CLI_VERSION}")
    return script


@pytest.fixture
def dev(cli: Path, tmp_path: Path) -> Iterator[DevContainer]:
    """Start the dev container of a fresh copy, and check that nothing is left of it afterwards."""
    project = f"tsdat-test-dev-{os.getpid()}"
    workspace = tmp_path / project
    copy_checkout(workspace)
    with (workspace / ".env").open("a") as env:
        env.write(
            f"\nLOCALSTACK_PORT={free_port()}\nCOMPOSE_PROJECT_NAME={project}\nLAMBDA_CONCURRENCY=1\nPAGE_REPLICAS=0\n"
        )
    if os.geteuid() == 0:  # the user in the container cannot write root's files
        subprocess.run(["chown", "--recursive", "1000:1000", str(workspace)], check=True)
    made = DevContainer(cli, workspace, project)
    try:
        made.call("up")
        yield made
    finally:
        made.remove()
    assert made.left() == ""


def copy_checkout(target: Path) -> None:
    """Copy the tracked files, with the changes of the working tree, and `.env`."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in [*filter(None, listed.split("\0")), ".env"]:
        if (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


@pytest.mark.timeout(600)
def test_pipelines_run_in_the_container_and_in_the_stack_beside_it(dev: DevContainer):
    on_the_stack = f"runner run --data data {SAMPLE} 2>&1 | tee /tmp/log >&2; ! grep 'starting a stack' /tmp/log"
    assert dev.inside(f"id -un; pwd; {on_the_stack}").split() == ["dev", "/home/dev/tsdat-local"]
    alone = f"RUNNER_DATA=/tmp/ingest runner ingest {SAMPLE}; find /tmp/ingest -name '*.nc' | grep ."
    stack_inside = f"RUNNER_DATA=/tmp/run runner run {SAMPLE}; find /tmp/run -name '*.nc' | grep ."
    dev.inside(f"{alone}; {stack_inside}")

    drop = f"mkdir -p data/inbox/tide_gauge/mcrl; cp {SAMPLE} data/inbox/tide_gauge/mcrl/"
    assert "-inputs-" in dev.inside(f'python -c "{BUCKETS}"; {drop}')
    outputs = dev.workspace / "data" / "outputs" / "data"
    eventually(lambda: list(outputs.rglob("*.nc")), "output of the stack", 60)
    read = "import sys, xarray; xarray.open_dataset(sys.argv[1]).load()"
    find = "made=$(find data/outputs/data -name '*.nc' -user dev)"
    *status, made = dev.inside(f'runner status; {find}; echo "$made"; python -c "{read}" "$made"').splitlines()
    assert "succeeded" in "\n".join(status)
    assert made.endswith(".nc")

    # The environments of the host are separate.
    for name in (".venv", ".venv-lambda", ".venv-localstack", ".venv-ministack"):
        assert not list((dev.workspace / name).iterdir())
