"""Each trigger of template.yaml, from its parameters alone, through MiniStack's S3, EventBridge, SNS and SQS."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.settings import EmulatorName
from tests.support import noop
from tests.support.stacks import ROOT, running

PIPELINE = """
from datetime import datetime
import xarray as xr
from tsdat import IngestPipeline

class NoOp(IngestPipeline):
    def run(self, inputs, **kwargs):
        dataset = xr.Dataset({"a": ("time", [1.0])}, coords={"time": [datetime(1970, 1, 1)]})
        dataset.attrs = {"location_id": "here", "dataset_name": "noop", "data_level": "a1"}
        dataset.attrs["datastream"] = "here.noop.a1"
        self.storage.save_data(dataset)
"""
TOPIC = "arn:aws:sns:us-west-2:123456789012:new-files"


@pytest.mark.parametrize(
    ("emulator", "parameters"),
    [
        (EmulatorName.MINISTACK, {"Trigger": "existing-bucket"}),
        (EmulatorName.MINISTACK, {"Trigger": "sns-topic", "SourceTopicArn": TOPIC}),
        (EmulatorName.LOCALSTACK, {"Trigger": "sns-topic", "SourceTopicArn": TOPIC}),
    ],
    ids=["EventBridge", "SNS", "SNS, directly with LocalStack"],
)
def test_a_file_is_processed_if_its_prefix_matches(tmp_path: Path, emulator: EmulatorName, parameters: dict[str, str]):
    folder = noop.project(tmp_path / "project", PIPELINE)
    text = (ROOT / "template.yaml").read_text()
    for name, value in {**parameters, "SourceBucketName": "raw", "SourcePrefix": "in/"}.items():
        head, _, tail = text.partition(f"  {name}:\n")
        before, _, rest = tail.partition("    Default: ")
        text = f"{head}  {name}:\n{before}    Default: {value}\n{rest.partition(chr(10))[2]}"
    (folder / "template.yaml").write_text(text)
    with running(tmp_path / "data", "--emulator", str(emulator), RUNNER_ROOT=str(folder)) as stack:
        stack.put(b"x", "out/noop.a b.txt")
        stack.put(b"x", "in/noop.a b+\u00e9.txt")
        assert stack.final("in/noop.a b+\u00e9.txt").outcome == "succeeded"
        assert stack.runs_of("out/noop.a b.txt") == []
