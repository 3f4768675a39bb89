"""SAM's own local commands run the image that `sam build` makes, with the S3 of a running stack."""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.services.event_source_mapping.rie_client import Emulator
from runner.stack.ports import free_port
from runner.testing.docker_stack import DockerStack
from runner.testing.stacks import environment, eventually
from tests.support.stacks import ROOT, SAMPLES, Supervised
from tests.support.tools import require_sam

KEY = "a2e_buoy_ingest/morro/buoy.z06.00.20201201.000000.zip"
EVENT = ROOT / "tests/events/a2e_buoy_ingest/morro/s3-event.json"
FUNCTION = "PipelineFunction"
pytestmark = pytest.mark.sam


def sam(*arguments: str | Path, data: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run scripts/sam for the stack on a data folder."""
    more = {"RUNNER_DATA": str(data)} if data else {}
    command = [ROOT / "scripts/sam", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment(**more), check=False)


@pytest.fixture(scope="module")
def built(docker_stack: DockerStack) -> DockerStack:
    """Build the function's image with SAM, and return a stack with Docker."""
    require_sam()
    done = sam("build")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (ROOT / ".aws-sam/build/template.yaml").exists()
    return docker_stack


@pytest.fixture
def expected(built: DockerStack) -> dict[str, Any]:
    """Return the record of the same file's run in the stack."""
    if not built.finished(KEY):
        built.put(SAMPLES / KEY, KEY)
    record = built.final(KEY).record
    assert record["status"] == "succeeded", record["error"]
    return comparable(dict(record))


def comparable(record: dict[str, Any]) -> dict[str, Any]:
    """Return a run record without IDs, times, the order of plots, and the size and ETag that the event named."""
    ours = {name: value for name, value in record.items() if name not in ("request_id", "message_id", "durations_s")}
    return ours | {
        "phases": sorted(record["durations_s"]),
        "inputs": [(item["bucket"], item["key"]) for item in record["inputs"]],
        "outputs": sorted(record["outputs"], key=lambda output: output["key"]),
    }


def test_invoke_returns_the_same_record_as_the_stack(built: DockerStack, expected: dict[str, Any]):
    done = sam("local", "invoke", FUNCTION, "--event", EVENT, data=built.data)
    assert done.returncode == 0, done.stderr
    assert done.stdout, done.stderr  # SAM exits with 0 also when the function did not answer
    (run,) = json.loads(done.stdout)["runs"]
    assert comparable(run) == expected


@pytest.fixture
def lambda_url(built: DockerStack) -> Iterator[str]:
    """Run `sam local start-lambda` during the test."""
    port = free_port()
    command = [ROOT / "scripts/sam", "local", "start-lambda", "--port", str(port)]
    own = environment(RUNNER_DATA=str(built.data))
    with (built.data / "start-lambda.log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=own)
    try:
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: Emulator(url).is_up() or process.poll() is not None, "start of start-lambda")
        yield f"{url}/2015-03-31/functions/{FUNCTION}/invocations"
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=60)  # SAM CLI removes its containers, which takes long on a busy machine
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_start_lambda_returns_the_same_record_as_the_stack(lambda_url: str, expected: dict[str, Any]):
    with urllib.request.urlopen(urllib.request.Request(lambda_url, EVENT.read_bytes()), timeout=90) as answer:
        (run,) = json.load(answer)["runs"]
    assert comparable(run) == expected


def test_a_stack_without_docker_is_refused(built: DockerStack, embedded_stack: Supervised):
    done = sam("local", "invoke", FUNCTION, "--event", EVENT, data=embedded_stack.data)
    assert done.returncode == 2
    assert f"The stack at {embedded_stack.endpoint_url} runs without Docker, and `sam local` needs S3" in done.stderr
