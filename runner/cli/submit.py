"""Sends files into the source bucket without the inbox, or messages to the queue, and waits for their end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.aws import clients
from runner.aws.s3 import sha256_of, upload
from runner.errors import StackError
from runner.messages.run_record import FINAL
from runner.services.progress import WAITING_S, Ticker, TransferProgress
from runner.stack.supervisor import Stop
from runner.state.database import State
from runner.state.runs import Run
from runner.template.stack_template import StackTemplate

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sqs.client import SQSClient


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
    s3: S3Client,
    template: StackTemplate,
    state: State,
    files: Mapping[str, Path],
    stop: Stop,
    tell: Callable[[str], object],
) -> dict[str, Run]:
    """Upload files under the given keys and wait until each has come to an end.

    Args:
        tell: how far it is, when it takes long.
        stop: looked at while waiting.

    Raises:
        StackError: nothing happened for longer than the Lambda and its retries may take.
        StoppedError: somebody asked to end.
    """
    patience_s = _patience_s(template)
    after_id = state.runs.last_id()
    etags = {}
    for key, path in files.items():
        on_bytes = TransferProgress(lambda text, key=key: tell(f"↑ {key}: {text}"), path.stat().st_size).add  # type: ignore[misc]
        with clients.answering():
            etags[key] = upload(s3, template.source_bucket, key, path, sha256_of(path), on_bytes)
    ticker = Ticker(tell, WAITING_S)
    ended: dict[str, Run] = {}
    deadline = time.monotonic() + patience_s
    while len(ended) < len(files):
        for run in state.runs.after(after_id):
            after_id, deadline = run.id, time.monotonic() + patience_s
            if run.outcome in FINAL:
                ended |= {i["key"]: run for i in run.record["inputs"] if etags.get(i["key"]) == i["etag"]}
        if time.monotonic() > deadline:
            missing = ", ".join(key for key in files if key not in ended)
            raise StackError(f"Nothing happened for {patience_s:.0f} s; still waiting for: {missing}. Is the stack up?")
        ticker.tick(f"… {len(ended)} of {len(files)} files are through")
        stop.pause(0.02)
    return {key: ended[key] for key in files}


def submit_message(sqs: SQSClient, template: StackTemplate, state: State, body: str, stop: Stop) -> list[Run]:
    """Send a message to the queue and wait until the runs that it leads to have come to an end.

    Raises:
        StackError: nothing happened for longer than the Lambda and its retries may take.
        StoppedError: somebody asked to end.
    """
    with clients.answering("The queue does"):
        url = sqs.get_queue_url(QueueName=template.queue_name)["QueueUrl"]
        message_id = sqs.send_message(QueueUrl=url, MessageBody=body)["MessageId"]
    ended: list[Run] = []
    known, deadline = 0, time.monotonic() + _patience_s(template)
    while not ended or len(ended) > known:  # the poller writes the runs of one message one after the other
        known = len(ended)
        if time.monotonic() > deadline:
            raise StackError(f"Message {message_id} led to no run in {_patience_s(template):.0f} s. Is the stack up?")
        stop.pause(0.05)
        ended = [run for run in state.runs.of_message(message_id) if run.outcome in FINAL]
    return ended


def _patience_s(template: StackTemplate) -> float:
    return template.max_receive_count * (template.function_timeout_s + 10)
