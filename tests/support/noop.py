"""A Lambda with a pipeline that a test defines."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from runner.aws import clients
from runner.services.event_source_mapping.rie_client import Answer, Emulator
from tests.support.stacks import ROOT


def project(folder: Path, pipeline: str) -> Path:
    """Make a project with one pipeline of the given source, for files named noop.*."""
    shutil.copytree(ROOT / "benchmarks" / "noop_project", folder)
    (folder / "pipelines" / "noop" / "pipeline.py").write_text(pipeline)
    return folder


def body(*records: dict[str, Any]) -> str:
    """Return S3's message with these records."""
    return json.dumps({"Records": records})


class Function:
    """An emulator, and its source bucket."""

    def __init__(self, emulator: Emulator, bucket: str, endpoint_url: str, timeout_s: float) -> None:
        self.emulator, self._bucket, self._timeout_s = emulator, bucket, timeout_s
        self._s3 = clients.local_s3(endpoint_url)

    def run(self, name: str, content: bytes = b"x") -> Answer:
        """Store an object and invoke the Lambda with its event."""
        key = f"noop.{name}.txt"
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=content)
        entity = {"bucket": {"name": self._bucket}, "object": {"key": key, "size": 1, "eTag": "e"}}
        record = {"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": entity}
        return self.emulator.invoke({"Records": [record]}, self._timeout_s)
