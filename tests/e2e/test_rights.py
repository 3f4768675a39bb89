"""The Lambda has the rights of the function's role and no others: enforced by MiniStack, reported with LocalStack.

These stacks also show that the shipped pipelines run with each emulator on either backend.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from runner.aws import clients
from runner.settings import EmulatorName
from runner.state.runs import Run
from runner.template.stack_template import StackTemplate
from runner.testing.docker_stack import DockerStack
from runner.testing.stacks import Stack
from tests.support import noop
from tests.support.containers import containers, docker
from tests.support.stacks import BUOY, ROOT, SAMPLES, SHIPPED, TIDE, running, running_in_docker

# What a file's name asks for, then what every VAP does: store and read back.
PIPELINE = """
import os
from datetime import datetime
from pathlib import Path
import boto3, xarray as xr
from tsdat import IngestPipeline

SOURCE, DESTINATION = "INPUTS", os.environ["TSDAT_S3_BUCKET_NAME"]
QUEUE = "tsdat-pipeline-lambda-queue"

class NoOp(IngestPipeline):
    def run(self, inputs, **kwargs):
        s3, wish = boto3.client("s3"), Path(inputs[0]).name.split(".")[1]
        if wish == "list": s3.list_objects_v2(Bucket=SOURCE)
        if wish == "delete": s3.delete_object(Bucket=DESTINATION, Key="any/thing.nc")
        if wish == "write": s3.put_object(Bucket=SOURCE, Key="back", Body=b"x")
        if wish == "send": boto3.client("sqs").get_queue_url(QueueName=QUEUE)
        if wish == "who": print("I am " + boto3.client("sts").get_caller_identity()["Arn"])
        dataset = xr.Dataset({"a": ("time", [1.0])}, coords={"time": [datetime(1970, 1, 1)]})
        dataset.attrs = {"location_id": "here", "dataset_name": "noop", "data_level": "a1"}
        dataset.attrs["datastream"] = "here.noop.a1"
        self.storage.save_data(dataset)
        assert self.storage.fetch_data(datetime(1970, 1, 1), datetime(1971, 1, 1), "here.noop.a1").sizes["time"] == 1
""".replace("INPUTS", SHIPPED.source_bucket)
SOURCE, DESTINATION = (f"arn:aws:s3:::{name}" for name in (SHIPPED.source_bucket, SHIPPED.destination_bucket))
REFUSED = {
    "list": ("s3:ListBucket", SOURCE, SOURCE),
    "delete": ("s3:DeleteObject", f"{DESTINATION}/any/thing.nc", f"{DESTINATION}/*"),
    "write": ("s3:PutObject", f"{SOURCE}/back", f"{SOURCE}/*"),
    "send": ("sqs:GetQueueUrl", "arn:aws:sqs:us-west-2:000000000000:tsdat-pipeline-lambda-queue",
             "arn:aws:sqs:us-west-2:000000000000:tsdat-pipeline-lambda-queue"),
}  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a project with the shipped pipelines and the one above."""
    folder = noop.project(tmp_path_factory.mktemp("rights") / "project", PIPELINE)
    for name in ("pipelines", "shared", "utils"):
        shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True)
    template = (ROOT / "template.yaml").read_text()
    (folder / "template.yaml").write_text(template.replace("maxReceiveCount: 5", "maxReceiveCount: 1"))
    return folder


# Docker with LocalStack is the stack of most other tests; its Lambda has the same check as without Docker.
@pytest.fixture(scope="module", params=["embedded-ministack", "docker-ministack", "embedded-localstack"])
def stack(request: pytest.FixtureRequest, project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Start a stack with each emulator."""
    backend, emulator = request.param.split("-")
    start = running_in_docker if backend == "docker" else running
    with start(tmp_path_factory.mktemp(request.param), RUNNER_ROOT=str(project), EMULATOR=emulator) as made:
        yield made


@pytest.fixture
def emulator(stack: Stack, request: pytest.FixtureRequest) -> EmulatorName:
    """Return the emulator of the stack."""
    return EmulatorName(request.node.callspec.params["stack"].split("-")[1])


def lambda_log(stack: Stack) -> str:
    """Return what the Lambda has printed."""
    if isinstance(stack, DockerStack):
        return docker("logs", *containers(stack.project, "lambda"))
    return (stack.data / "state" / "logs" / "lambda-1.log").read_text()


def outcome(stack: Stack, name: str) -> Run:
    key = f"rights/noop.{name}.txt"
    stack.put(name.encode(), key)
    return stack.final(key)


def refusals(run: Run) -> list[str]:
    return [text for text in run.record["warnings"] if text.startswith("AWS refuses")]


@pytest.mark.parametrize("wish", REFUSED)
def test_a_call_that_the_role_does_not_allow_is_refused_or_reported(stack: Stack, emulator: EmulatorName, wish: str):
    action, arn, resource = REFUSED[wish]
    run = outcome(stack, wish)
    assert refusals(run) == [
        f"AWS refuses {action} on {arn}: the function's role, PipelineRole in template.yaml, does not allow it. "
        "To allow it, add this to the statements of PipelineRole in template.yaml: "
        f'{{Effect: Allow, Action: {action}, Resource: "{resource}"}}'
    ]
    if emulator == EmulatorName.LOCALSTACK:
        assert run.outcome == "succeeded"
        return
    assert run.outcome == "dead-lettered"
    error = run.record["error"]
    assert error is not None
    assert "AccessDenied" in error["message"]
    assert f"is not authorized to perform: {action}" in error["message"]


def test_a_run_within_its_rights_has_no_warning(stack: Stack, emulator: EmulatorName):
    run = outcome(stack, "who")
    assert (run.outcome, refusals(run)) == ("succeeded", [])
    (who,) = re.findall(r"I am (\S+)", lambda_log(stack))
    expected = "arn:aws:sts::000000000000:assumed-role/PipelineRole/tsdat-pipeline-lambda"
    assert who == (expected if emulator == EmulatorName.MINISTACK else "arn:aws:iam::000000000000:root")


@pytest.mark.parametrize(
    ("source", "suffixes"),
    [(path, sorted([".nc", *plots])) for path, plots in ((TIDE, [".png"]), (BUOY, [".png"] * 3))],
    ids=["tide gauge", "buoy"],
)
def test_the_shipped_pipelines_run_within_their_rights(stack: Stack, source: Path, suffixes: list[str]):
    key = source.relative_to(SAMPLES).as_posix()
    stack.put(source, key)
    run = stack.final(key)
    assert (run.outcome, refusals(run)) == ("succeeded", []), run.record["error"]
    assert sorted(path.suffix for path in stack.mirrored(run) if path.is_file()) == suffixes


def test_credentials_are_for_this_user_only_and_in_no_log(stack: Stack, emulator: EmulatorName):
    if isinstance(stack, DockerStack):  # in a volume that only containers have
        (container,) = containers(stack.project, "lambda")
        content, logs = docker("exec", container, "cat", "/var/task/runner/stack/role/credentials.json"), []
        assert not list((stack.data / "state").rglob("credentials.json"))
    else:
        file = stack.data / "state" / "role" / "credentials.json"
        if emulator == EmulatorName.LOCALSTACK:
            assert not file.exists()
            return
        assert file.stat().st_mode & 0o777 == 0o600
        content = file.read_text()
        logs = [path.read_text(errors="replace") for path in (stack.data / "state" / "logs").iterdir()]
    found = json.loads(content)
    for text in [*logs, lambda_log(stack), stack.text]:
        assert found["SecretAccessKey"] not in text
        assert found["SessionToken"] not in text


def without(policy: dict[str, Any], action: str, resource: str) -> dict[str, Any]:
    """Return a policy that does not allow an action on a resource."""
    changed = deepcopy(policy)
    for statement in changed["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        if statement["Resource"] == resource:
            statement["Action"] = [one for one in actions if one != action]
    changed["Statement"] = [statement for statement in changed["Statement"] if statement["Action"]]
    return changed


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:GetObject", f"{SOURCE}/*"), ("s3:ListBucket", DESTINATION), ("s3:GetObject", f"{DESTINATION}/*"),
        ("s3:PutObject", f"{DESTINATION}/*"),
    ],
)  # fmt: skip
def test_every_action_of_the_role_is_needed(
    stack: Stack, emulator: EmulatorName, described: StackTemplate, action: str, resource: str
):
    if emulator == EmulatorName.LOCALSTACK:
        pytest.skip("LocalStack enforces no rights; test_iam reads its log")
    assert described.role
    iam, policy = clients.local_client("iam", stack.endpoint_url), dict(described.role.policies["pipelines"])
    less = without(policy, action, resource)
    assert less != policy
    iam.put_role_policy(RoleName="PipelineRole", PolicyName="pipelines", PolicyDocument=json.dumps(less))
    try:
        run = outcome(stack, f"good.{abs(hash((action, resource)))}")
    finally:
        iam.put_role_policy(RoleName="PipelineRole", PolicyName="pipelines", PolicyDocument=json.dumps(policy))
    assert run.outcome == "dead-lettered"
