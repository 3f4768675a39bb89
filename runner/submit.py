"""Sends files into the source bucket without the inbox, and waits for what becomes of them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner import aws
from runner.errors import StackError
from runner.history import FINAL, History, Run
from runner.supervisor import Stop
from runner.template import StackTemplate

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


def default_key(path: Path, folders: Sequence[Path], pipelines: Sequence[str]) -> str:
    """The key that a file would have in the inbox: its path below a known folder, or from a pipeline's name on.

    `…/a2e_buoy_ingest/morro/buoy.z06.zip` gives `a2e_buoy_ingest/morro/buoy.z06.zip`; any other file gives its name.
    """
    path = path.absolute()
    for folder in folders:
        if path.is_relative_to(folder):
            return path.relative_to(folder).as_posix()
    for index, part in enumerate(path.parts[:-1]):
        if part in pipelines:
            return "/".join(path.parts[index:])
    return path.name


def submit(
    s3: S3Client, template: StackTemplate, history: History, files: Mapping[str, Path], stop: Stop
) -> dict[str, Run]:
    """Upload files under the given keys and wait until each has come to an end.

    Args:
        stop: looked at while waiting.

    Raises:
        StackError: nothing happened for longer than the Lambda and its retries may take.
        StoppedError: somebody asked to end.
    """
    patience_s = template.max_receive_count * (template.function_timeout_s + 10)
    last = history.runs(newest=1)
    after_id = last[-1].id if last else 0
    etags = {}
    for key, path in files.items():
        etags[key] = aws.upload(s3, template.source_bucket, key, path, aws.sha256_of(path))
    ended: dict[str, Run] = {}
    deadline = time.monotonic() + patience_s
    while len(ended) < len(files):
        for run in history.runs(after_id=after_id):
            after_id, deadline = run.id, time.monotonic() + patience_s
            if run.outcome in FINAL:
                ended |= {i["key"]: run for i in run.record["inputs"] if etags.get(i["key"]) == i["etag"]}
        if time.monotonic() > deadline:
            missing = ", ".join(key for key in files if key not in ended)
            raise StackError(f"Nothing happened for {patience_s:.0f} s; still waiting for: {missing}. Is the stack up?")
        stop.pause(0.02)
    return {key: ended[key] for key in files}
