"""The role allows exactly the S3 calls that the handler makes, as LocalStack's log shows them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from runner.aws import clients, emulator_api
from runner.services import provisioner
from runner.services.event_source_mapping.rie_client import Emulator
from runner.stack import lambda_process, ports
from runner.stack.emulators.localstack import LocalStack
from runner.stack.supervisor import Supervisor
from runner.template.intrinsics import Template
from runner.template.stack_template import StackTemplate
from runner.testing.stacks import eventually
from tests.support import noop
from tests.support.expansion import REGION, expanded
from tests.support.stacks import ROOT, SAMPLES

# Stores a file that is large enough for a multipart upload, and reads it back, as VAPs do.
PIPELINE = """
from datetime import datetime
import numpy as np, xarray as xr
from tsdat import IngestPipeline

class NoOp(IngestPipeline):
    def run(self, inputs, **kwargs):
        time_ = np.arange(2_000_000).astype("datetime64[s]")
        dataset = xr.Dataset({"a": ("time", np.random.rand(len(time_)))}, coords={"time": time_})
        dataset.attrs = {"location_id": "here", "dataset_name": "noop", "data_level": "a1"}
        dataset.attrs["datastream"] = "here.noop.a1"
        self.storage.save_data(dataset)
        stored = self.storage.fetch_data(datetime(1970, 1, 1), datetime(1971, 1, 1), "here.noop.a1")
        assert stored.sizes["time"] == len(time_)
"""
# From "Actions, resources, and condition keys for Amazon S3" of the Service Authorization Reference.
ACTIONS = {
    "HeadObject": "s3:GetObject", "CreateMultipartUpload": "s3:PutObject", "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject", "ListObjects": "s3:ListBucket", "ListObjectsV2": "s3:ListBucket",
    "HeadBucket": "s3:ListBucket",
}  # fmt: skip
LINE = re.compile(r"AWS (\w+)\.(\w+) => \d+.*?; \w+\((\{.*?\}), headers=")


class Call(NamedTuple):
    """A call to AWS."""

    operation: str
    action: str
    arn: str


def calls(log: str) -> Iterator[Call]:
    """Yield all calls in LocalStack's log at trace level."""
    for line in log.splitlines():
        if found := LINE.search(line):
            service, operation, request = found.groups()
            fields = dict(re.findall(r"'(Bucket|Key|VersionId)': '([^']*)'", request))
            action = ACTIONS.get(operation, f"{service}:{operation}")
            if "VersionId" in fields and action == "s3:GetObject":
                action = "s3:GetObjectVersion"
            arn = f"arn:aws:s3:::{fields.get('Bucket', '?')}"
            yield Call(operation, action, f"{arn}/{fields['Key']}" if "Key" in fields else arn)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a project with the shipped pipelines and the one above."""
    folder = noop.project(tmp_path_factory.mktemp("iam") / "project", PIPELINE)
    for name in ("pipelines", "shared", "utils"):
        shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def made_calls(project: Path, tmp_path_factory: pytest.TempPathFactory, described: StackTemplate) -> list[Call]:
    """Return the handler's calls when it runs every shipped sample and the pipeline above."""
    state = tmp_path_factory.mktemp("iam-state")
    (state / "logs").mkdir()
    log = state / "logs" / "localstack.log"
    endpoint_url, port = f"http://127.0.0.1:{ports.free_port()}", ports.free_port()
    supervisor = Supervisor(print)
    local = LocalStack().child(state, endpoint_url, log)
    local.env = {**local.env, "LS_LOG": "trace"}
    supervisor.start(local)
    supervisor.start(lambda_process.child(1, f"127.0.0.1:{port}", project, state, described, endpoint_url))
    try:
        eventually(lambda: emulator_api.is_healthy(endpoint_url), "LocalStack")
        s3 = clients.local_s3(endpoint_url)
        provisioner.provision(s3, clients.local_sqs(endpoint_url), described)
        files = [path for path in SAMPLES.rglob("*.*") if path.is_file() and path.parent.name != "new"]
        keys = {path.name: path.read_bytes() for path in files} | {"noop.x.txt": b"x"}
        assert len(keys) >= 4
        for key, content in keys.items():
            s3.put_object(Bucket=described.source_bucket, Key=key, Body=content)
        emulator = Emulator(f"http://127.0.0.1:{port}")
        eventually(emulator.is_up, "emulator")
        own_calls = len(log.read_text())
        for key in keys:
            answer = emulator.invoke(event(described.source_bucket, key), described.function_timeout_s)
            assert answer.payload is not None, answer
            assert answer.payload["runs"][0]["status"] == "succeeded", answer
        s3.list_buckets()  # marks the end
        eventually(lambda: ".ListBuckets =>" in log.read_text(), "last call in the log")
        return [call for call in calls(log.read_text()[own_calls:]) if call.operation != "ListBuckets"]
    finally:
        supervisor.stop(kill=["LocalStack"])


def event(bucket: str, key: str) -> dict[str, Any]:
    """Return a direct S3 event."""
    entity = {"bucket": {"name": bucket}, "object": {"key": key, "size": 1, "eTag": "e"}}
    return {
        "Records": [
            {"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": entity}
        ]
    }  # fmt: skip


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[str, str]]]:
    """Return the pairs of an action and a resource in each of the role's policies."""
    path = tmp_path_factory.mktemp("role") / "expanded.json"
    path.write_text(json.dumps(expanded({})))
    template = Template(path, {}, REGION)
    role = template.value(template.resources["PipelineRole"]["Properties"]["Policies"], "PipelineRole")
    as_list = lambda value: value if isinstance(value, list) else [value]  # noqa: E731
    return {
        policy["PolicyName"]: [
            (action, resource)
            for one in policy["PolicyDocument"]["Statement"]
            for action in as_list(one["Action"])
            for resource in as_list(one["Resource"])
        ]
        for policy in role
    }


def test_the_log_contains_all_kinds_of_calls(made_calls: list[Call]):
    operations = {call.operation for call in made_calls}
    assert operations >= {"GetObject", "PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"}


def test_every_call_is_allowed(made_calls: list[Call], policies: dict[str, list[tuple[str, str]]]):
    refused = {call for call in made_calls if not any(covers(pair, call) for pair in policies["pipelines"])}
    assert not refused


def test_every_permission_is_used(made_calls: list[Call], policies: dict[str, list[tuple[str, str]]]):
    unused = [pair for pair in policies["pipelines"] if not any(covers(pair, call) for call in made_calls)]
    assert not unused


def covers(pair: tuple[str, str], call: Call) -> bool:
    action, resource = pair
    return action == call.action and fnmatchcase(call.arn, resource)


def test_lambda_may_read_the_queue_and_write_the_log(policies: dict[str, list[tuple[str, str]]]):
    queue = f"arn:aws:sqs:{REGION}:000000000000:tsdat-pipeline-lambda-queue"
    log = f"arn:aws:logs:{REGION}:000000000000:log-group:/aws/lambda/tsdat-pipeline-lambda:*"
    assert sorted(policies["lambda"]) == [
        ("logs:CreateLogStream", log), ("logs:PutLogEvents", log), ("sqs:DeleteMessage", queue),
        ("sqs:GetQueueAttributes", queue), ("sqs:ReceiveMessage", queue),
    ]  # fmt: skip
    assert policies.keys() == {"pipelines", "lambda"}
