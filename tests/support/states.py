"""State of a data folder, and run records to put into it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.aws.s3 import sha256_of
from runner.messages.run_record import Input, RunRecord, Status, new_record
from runner.services.reconciler.repair import Reconciler
from runner.state.uploads import Upload
from tests.support.memory_aws import StoredObject

WRONG = {"type": "ValueError", "message": "no such column\nin the file", "phase": "process", "traceback": ""}
ETAG = StoredObject(b"x", {}).etag


def item(key: str, etag: str, **more: Any) -> Input:
    found: Any = {"bucket": "inputs", "key": key, "size": 1, "etag": etag, **more}
    return found  # type: ignore[no-any-return]


def run_of(key: str, etag: str, status: Status = "succeeded", **fields: Any) -> RunRecord:
    """A run that read one version; a failed one has an error."""
    more = {"inputs": [item(key, etag)], "pipeline": "p", "durations_s": {"total": 1.0}, **fields}
    if status == "failed":
        more = {"error": WRONG, **more}
    return new_record(status, "request", **more)


def twin_runs(key: str, etag: str, outcomes: Mapping[str, Status], **fields: Any) -> Iterator[RunRecord]:
    """The runs of several pipelines on one version, by pipeline."""
    for name, status in outcomes.items():
        yield run_of(key, etag, status, pipeline=name, config=f"{name}.yaml", **fields)


def put(reconciler: Reconciler, key: str, epoch: str = "1") -> Path:
    """Put a file into the inbox and record its upload."""
    path = reconciler.settings.inbox / key
    path.write_bytes(b"x")
    status = path.stat()
    reconciler.state.uploads.put(
        Upload(key, 1, status.st_mtime_ns, status.st_ctime_ns, sha256_of(path), ETAG, epoch, 1.0)
    )
    reconciler.state.versions.add_uploaded((key, ETAG))
    return path
