"""Runs that reach Lambda's limits: in the image that ships, in containers with small limits, and without Docker."""

from __future__ import annotations

import json
import logging
import os
import queue
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from runner.aws import clients, emulator_api
from runner.services import provisioner
from runner.services.event_source_mapping.rie_client import Emulator
from runner.services.event_source_mapping.worker import Worker
from runner.stack import lambda_process, ports
from runner.stack.emulators.localstack import LocalStack
from runner.stack.supervisor import Supervisor
from runner.template.stack_template import StackTemplate
from runner.testing.plugin import require_docker
from runner.testing.stacks import eventually
from tests.support import noop
from tests.support.containers import docker
from tests.support.noop import Function

# A pipeline that does what the name of its file says.
PIPELINE = """
import tempfile, time
from pathlib import Path
import numpy as np, xarray as xr
from tsdat import IngestPipeline

class NoOp(IngestPipeline):
    def run(self, inputs, **kwargs):
        name = Path(inputs[0]).name
        if "memory" in name: held = [np.ones(2_000_000) for _ in range(60)]
        if "sleep" in name: time.sleep(60)
        if "write" in name: Path(tempfile.gettempdir(), "x").write_bytes(bytes(64 << 20))
        if "root" in name: Path("/var/task/x").write_text("x")
        if "save" in name:
            time_ = np.arange(2_000_000).astype("datetime64[s]")
            dataset = xr.Dataset({"a": ("time", np.random.rand(len(time_)))}, coords={"time": time_})
            dataset.attrs = {"datastream": "nothing.a1", "location_id": "x", "dataset_name": "x", "data_level": "a1"}
            self.storage.save_data(dataset)
"""
TIMEOUT_S = 20
MEMORY_MB, TMP_MB = 420, 12


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return noop.project(tmp_path_factory.mktemp("limits") / "project", PIPELINE)


@pytest.fixture(scope="module")
def endpoint_url(tmp_path_factory: pytest.TempPathFactory, described: StackTemplate) -> Iterator[str]:
    """An emulator with the buckets, for both backends."""
    state = tmp_path_factory.mktemp("limits-state")
    (state / "logs").mkdir()
    url = f"http://127.0.0.1:{ports.free_port()}"
    supervisor = Supervisor(print)
    supervisor.start(LocalStack().child(state, url, state / "logs" / "localstack.log"))
    try:
        eventually(lambda: emulator_api.is_healthy(url), "LocalStack")
        provisioner.provision(clients.local_s3(url), clients.local_sqs(url), described)
        yield url
    finally:
        supervisor.stop(kill=["LocalStack"])


@pytest.fixture(scope="module")
def image() -> str:
    """The image that ships, built from this checkout."""
    require_docker()
    built = subprocess.run(["docker", "compose", "build", "lambda"], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    config = ["docker", "compose", "config", "--format", "json"]
    done = subprocess.run(config, capture_output=True, text=True, check=True)
    return str(json.loads(done.stdout)["services"]["lambda"]["image"])


@contextmanager
def container(image: str, project: Path, described: StackTemplate, endpoint_url: str) -> Iterator[Emulator]:
    """Start the Lambda of compose.yaml without hot reload, with small limits, in the host's network."""
    small = replace(described, function_timeout_s=TIMEOUT_S, memory_mb=MEMORY_MB)
    variables = lambda_process.environment(Path("/var/task"), Path("/tmp"), small, endpoint_url)
    del variables["PATH"]
    name, port = f"tsdat-limits-{uuid.uuid4().hex[:8]}", ports.free_port()
    folder = project / "pipelines"
    for path in [project, folder, *folder.rglob("*")]:
        path.chmod(0o755)
    command = [
        "docker", "run", "--detach", "--rm", "--init", "--name", name, "--network", "host", "--read-only",
        "--user", "1000:1000", "--cap-drop", "ALL", "--tmpfs", f"/tmp:size={TMP_MB}m,mode=1777",
        f"--memory={MEMORY_MB}m", f"--memory-swap={MEMORY_MB}m", "--volume", f"{folder}:/var/task/pipelines:ro",
        *(f"--env={key}={value}" for key, value in variables.items()),
        "--entrypoint", "/usr/local/bin/aws-lambda-rie", image,
        "--runtime-interface-emulator-address", f"127.0.0.1:{port}",
        "--runtime-api-address", f"127.0.0.1:{ports.free_port()}", "/var/runtime/bootstrap", lambda_process.HANDLER,
    ]  # fmt: skip
    subprocess.run(command, capture_output=True, check=True)
    try:
        emulator = Emulator(f"http://127.0.0.1:{port}", MEMORY_MB)
        eventually(emulator.is_up, "emulator in the container")
        yield emulator
    finally:
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)


@pytest.fixture(scope="module")
def contained(image: str, project: Path, described: StackTemplate, endpoint_url: str) -> Iterator[Function]:
    with container(image, project, described, endpoint_url) as emulator:
        yield Function(emulator, described.source_bucket, endpoint_url, TIMEOUT_S)


@pytest.fixture
def function(contained: Function) -> Iterator[Function]:
    """A Lambda that works before and after the test."""
    assert (before := contained.run("fine")).kind == "answered", before
    yield contained
    assert (after := contained.run("fine")).kind == "answered", after


def test_too_much_memory_is_reported_with_the_templates_value(function: Function):
    answer = function.run("memory")
    assert answer.kind == "died"
    assert answer.error == (
        f"The Lambda was killed during the run, most likely because it used more than MemorySize ({MEMORY_MB} MB) "
        "in template.yaml. Raise it, or have the pipeline hold less data at once."
    )


@pytest.mark.parametrize(("name", "error"), [("write", "No space left on device"), ("save", "NetCDF: HDF error")])
def test_a_full_tmp_is_reported_with_its_property(function: Function, name: str, error: str):
    answer = function.run(name)
    assert answer.kind == "raised", answer
    assert error in answer.error
    assert "Limit: /tmp is full: EphemeralStorage in template.yaml sets its size." in answer.error


def test_a_write_outside_of_tmp_is_reported_with_its_path(function: Function):
    answer = function.run("root")
    assert "Limit: Lambda's file system is read-only but for /tmp; /var/task/x cannot be written." in answer.error


def test_a_run_that_takes_too_long_is_reported_with_the_templates_value(function: Function):
    answer = function.run("sleep")
    assert answer.kind == "timed out"
    assert answer.error.startswith(
        f"Task timed out after {TIMEOUT_S}.00 seconds: Timeout in template.yaml is {TIMEOUT_S}. Raise it"
    )


@contextmanager
def embedded(
    project: Path, state: Path, described: StackTemplate, endpoint_url: str, *packages: Path
) -> Iterator[Emulator]:
    """Start the Lambda without Docker, where only the timeout is enforced, with more folders of packages."""
    port = ports.free_port()
    (state / "logs").mkdir()
    supervisor = Supervisor(print)
    supervisor.start(
        lambda_process.child(1, f"127.0.0.1:{port}", project, state, described, endpoint_url, packages=packages)
    )
    try:
        emulator = Emulator(f"http://127.0.0.1:{port}")
        eventually(emulator.is_up, "emulator")
        yield emulator
    finally:
        supervisor.stop()


def test_without_docker_too_much_memory_is_a_warning(
    project: Path, tmp_path: Path, described: StackTemplate, endpoint_url: str
):
    small = replace(described, function_timeout_s=60, memory_mb=MEMORY_MB)
    with embedded(project, tmp_path, small, endpoint_url) as emulator:
        function = Function(emulator, described.source_bucket, endpoint_url, TIMEOUT_S)
        warnings = [(function.run(name).payload or {})["runs"][0]["warnings"] for name in ("fine", "memory", "fine")]
    before, (warning,), after = ([text for text in texts if "MemorySize" in text] for texts in warnings)
    assert not before
    assert not after
    assert warning.startswith("used ")
    assert warning.endswith(f" MB; MemorySize in template.yaml is {MEMORY_MB} MB: on AWS this run is killed.")


def test_a_slow_init_is_reported_once(
    project: Path, tmp_path: Path, described: StackTemplate, endpoint_url: str, caplog: pytest.LogCaptureFixture
):
    slow = tmp_path / "slow"
    slow.mkdir()
    # Python imports it at its start, which then takes long.
    (slow / "sitecustomize.py").write_text("import time; time.sleep(2)")
    received: queue.Queue[list[object]] = queue.Queue()
    with (
        embedded(project, tmp_path, described, endpoint_url, slow) as emulator,
        caplog.at_level(logging.WARNING, "poller"),
    ):
        worker = Worker(emulator, 60, "queue", received, lambda *_: None, init_limit_s=2.0)
        worker.start()
        eventually(lambda: worker.was_warm, "warm Lambda")
        worker.stop()
        worker.join()
    (message,) = [record.getMessage() for record in caplog.records if "to start" in record.getMessage()]
    assert message.startswith(f"⚠ the Lambda at {emulator.url} took ")
    assert "s to start. AWS allows 2 s for init and then starts it again" in message


def test_an_image_of_files_that_only_their_owner_may_read_is_readable_for_lambdas_user(tmp_path: Path, image: str):
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=True).stdout.split("\0")
    for name in [*filter(None, listed), ".env"]:  # as cloned under umask 077
        if Path(name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(name, tmp_path / name)
            (tmp_path / name).chmod(0o600)
    for folder in [path for path in tmp_path.rglob("*") if path.is_dir()]:
        folder.chmod(0o700)
    variables = {**os.environ, "IMAGE_TAG": f"modes-{uuid.uuid4().hex[:8]}"}
    build = ["docker", "compose", "build", "--quiet", "lambda", "provision"]
    built = subprocess.run(build, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    program = (
        "import os, sys; print([os.path.join(folder, name) for top in sys.argv[1:] for folder, folders, names in "
        "os.walk(top) for name in folders + names if not os.access(os.path.join(folder, name), os.R_OK)])"
    )
    for name, top in (("lambda", "/var/task"), ("services", "/app")):
        made = f"{image.rpartition('/')[0]}/{name}:{variables['IMAGE_TAG']}"
        try:
            assert (
                docker("run", "--rm", "--user", "1000:1000", "--entrypoint", "python3", made, "-c", program, top)
                == "[]"
            )
        finally:
            docker("rmi", "--force", made)
