"""Send files to the source bucket without the inbox, or messages to the queue, and wait for their runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from runner.aws import clients
from runner.aws.s3 import sha256_of, upload
from runner.cli.interrupt import interruptible
from runner.cli.output import list_outputs, print_json, results, table, text_of
from runner.errors import StackError
from runner.messages import run_summary
from runner.messages.run_record import FINAL
from runner.services.progress import WAITING_S, Ticker, TransferProgress
from runner.settings import Settings
from runner.stack.supervisor import Stop
from runner.state import stack_lock
from runner.state.database import State
from runner.state.runs import Run
from runner.template.stack_template import StackTemplate

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sqs.client import SQSClient


def default_key(path: Path, folders: Sequence[Path], pipelines: Sequence[str]) -> str:
    """Return the key that a file would have in the inbox: its path below a known folder, or from a pipeline's name on.

    `…/a2e_buoy_ingest/morro/buoy.z06.zip` becomes `a2e_buoy_ingest/morro/buoy.z06.zip`. For any other file it is the
    file's name.
    """
    path = path.absolute()
    for folder in folders:
        if path.is_relative_to(folder):
            return path.relative_to(folder).as_posix()
    for index, part in enumerate(path.parts[:-1]):
        if part in pipelines:
            return "/".join(path.parts[index:])
    return path.name


def keys_of(settings: Settings, files: Iterable[Path]) -> list[str]:
    """Return the default key of each file."""
    from runner.function import routing

    pipelines = sorted({route.pipeline for route in routing.load(settings.root).routes})
    folders = [settings.inbox, settings.root / "data" / "samples"]
    return [default_key(path, folders, pipelines) for path in files]


def submit(
    s3: S3Client,
    template: StackTemplate,
    state: State,
    files: Mapping[str, Path],
    stop: Stop,
    report: Callable[[str], object],
) -> dict[str, Run]:
    """Upload files under the given keys, wait until each is complete, and return the final run of each key.

    Args:
        report: called with a line of progress if it takes long.
        stop: checked while waiting.

    Raises:
        StackError: nothing happened for longer than the Lambda and its retries may take.
        StoppedError: a signal arrived.
    """
    patience_s = _patience_s(template)
    after_id = state.runs.last_id()
    etags = {}
    for key, path in files.items():
        on_bytes = TransferProgress(lambda text, key=key: report(f"↑ {key}: {text}"), path.stat().st_size).add  # type: ignore[misc]
        with clients.answering():
            etags[key] = upload(s3, template.source_bucket, key, path, sha256_of(path), on_bytes)
    ticker = Ticker(report, WAITING_S)
    final: dict[str, Run] = {}
    deadline = time.monotonic() + patience_s
    while len(final) < len(files):
        for run in state.runs.after(after_id):
            after_id, deadline = run.id, time.monotonic() + patience_s
            if run.outcome in FINAL:
                final |= {i["key"]: run for i in run.record["inputs"] if etags.get(i["key"]) == i["etag"]}
        if time.monotonic() > deadline:
            missing = ", ".join(key for key in files if key not in final)
            raise StackError(f"Nothing happened for {patience_s:.0f} s. Unfinished: {missing}. Is the stack running?")
        ticker.tick(f"… {len(final)} of {len(files)} files are complete")
        stop.pause(0.02)
    return {key: final[key] for key in files}


def submit_message(sqs: SQSClient, template: StackTemplate, state: State, body: str, stop: Stop) -> list[Run]:
    """Send a message to the queue, wait until its runs are complete, and return them.

    Raises:
        StackError: nothing happened for longer than the Lambda and its retries may take.
        StoppedError: a signal arrived.
    """
    with clients.answering("The queue does"):
        url = sqs.get_queue_url(QueueName=template.queue_name)["QueueUrl"]
        message_id = sqs.send_message(QueueUrl=url, MessageBody=body)["MessageId"]
    final: list[Run] = []
    known, deadline = 0, time.monotonic() + _patience_s(template)
    while not final or len(final) > known:  # the poller records the runs of one message one by one
        known = len(final)
        if time.monotonic() > deadline:
            raise StackError(
                f"Message {message_id} caused no run within {_patience_s(template):.0f} s. Is the stack running?"
            )
        stop.pause(0.05)
        final = [run for run in state.runs.of_message(message_id) if run.outcome in FINAL]
    return final


def run_message(settings: Settings, template: StackTemplate, body: str, *, as_json: bool) -> int:
    """Send a message to the running stack's queue, print its runs and return the exit code.

    Raises:
        StackError: no stack runs on the data folder, or it does not answer.
    """
    endpoint_url = stack_lock.require_running(settings)
    with interruptible() as stop, closing(State(settings.state)) as state:
        runs = submit_message(clients.local_sqs(endpoint_url), template, state, body, stop)
    if as_json:
        print_json([run.record for run in runs])
    else:
        results.print(table((run_summary.title(run.record), run.outcome, text_of(run)) for run in runs))
        list_outputs(settings.outputs, runs)
    return 0 if all(run.outcome == "succeeded" for run in runs) else 1


def _patience_s(template: StackTemplate) -> float:
    return template.max_receive_count * (template.function_timeout_s + 10)
