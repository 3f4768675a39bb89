"""The Lambda has the rights of the function's role and no others: enforced by MiniStack, reported with LocalStack."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from runner.aws import clients
from runner.settings import EmulatorName
from runner.state.runs import Run
from runner.template.stack_template import StackTemplate
from tests.support import noop
from tests.support.stacks import ROOT, SHIPPED, Supervised, running

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
    """Make the project."""
    folder = noop.project(tmp_path_factory.mktemp("rights") / "project", PIPELINE)
    template = (ROOT / "template.yaml").read_text()
    (folder / "template.yaml").write_text(template.replace("maxReceiveCount: 5", "maxReceiveCount: 1"))
    return folder


@pytest.fixture(scope="module", params=list(EmulatorName))
def stack(
    request: pytest.FixtureRequest, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Supervised]:
    """Start a stack with each emulator."""
    data = tmp_path_factory.mktemp(f"rights-{request.param}")
    with running(data, "--emulator", str(request.param), RUNNER_ROOT=str(project)) as made:
        made.emulator = request.param
        yield made


def outcome(stack: Supervised, name: str) -> Run:
    key = f"rights/noop.{name}.txt"
    stack.put(name.encode(), key)
    return stack.final(key)


def refusals(run: Run) -> list[str]:
    return [text for text in run.record["warnings"] if text.startswith("AWS refuses")]


@pytest.mark.parametrize("wish", REFUSED)
def test_a_call_that_the_role_does_not_allow_is_refused_or_reported(stack: Supervised, wish: str):
    action, arn, resource = REFUSED[wish]
    run = outcome(stack, wish)
    assert refusals(run) == [
        f"AWS refuses {action} on {arn}: the function's role, PipelineRole in template.yaml, does not allow it. "
        "To allow it, add this to the statements of PipelineRole in template.yaml: "
        f'{{Effect: Allow, Action: {action}, Resource: "{resource}"}}'
    ]
    if stack.emulator == EmulatorName.LOCALSTACK:
        assert run.outcome == "succeeded"
        return
    assert run.outcome == "dead-lettered"
    error = run.record["error"]
    assert error is not None
    assert "AccessDenied" in error["message"]
    assert f"is not authorized to perform: {action}" in error["message"]


def test_a_run_within_its_rights_has_no_warning(stack: Supervised):
    run = outcome(stack, "who")
    assert (run.outcome, refusals(run)) == ("succeeded", [])
    log = (stack.data / "state" / "logs" / "lambda-1.log").read_text()
    (who,) = re.findall(r"I am (\S+)", log)
    expected = "arn:aws:sts::000000000000:assumed-role/PipelineRole/tsdat-pipeline-lambda"
    assert who == (expected if stack.emulator == EmulatorName.MINISTACK else "arn:aws:iam::000000000000:root")


def test_credentials_are_for_this_user_only_and_in_no_log(stack: Supervised):
    file = stack.data / "state" / "role" / "credentials.json"
    if stack.emulator == EmulatorName.LOCALSTACK:
        assert not file.exists()
        return
    assert file.stat().st_mode & 0o777 == 0o600
    found = json.loads(file.read_text())
    logs = [path.read_text(errors="replace") for path in (stack.data / "state" / "logs").iterdir()] + [stack.text]
    assert not [text for text in logs if found["SecretAccessKey"] in text or found["SessionToken"] in text]


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
def test_every_action_of_the_role_is_needed(stack: Supervised, described: StackTemplate, action: str, resource: str):
    if stack.emulator == EmulatorName.LOCALSTACK:
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
