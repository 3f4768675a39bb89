"""Sends objects that are in a source bucket already through the queue, as if they came now: `runner backfill`."""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from runner.aws import clients
from runner.aws.s3 import Listed, bucket_epoch, listed
from runner.cli.deploy import account
from runner.cli.output import progress, results, say
from runner.cli.submit import default_key
from runner.errors import SettingsError, StackError, StoppedError
from runner.function import routing
from runner.messages.s3_events import object_created
from runner.settings import Settings
from runner.stack.supervisor import Stop
from runner.state import stack_lock
from runner.state.database import State
from runner.template import stack_template

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sqs.client import SQSClient


def request(
    settings: Settings, bucket: str, wanted: Sequence[str], since: datetime | None, until: datetime | None
) -> Request:
    """What was asked for: names of files that exist stand for their keys, everything else is a prefix."""
    pipelines = sorted({route.pipeline for route in routing.load(settings.root).routes})
    folders = [settings.inbox, settings.root / "data" / "samples"]
    files = [name for name in wanted if Path(name).is_file()]
    keys = tuple(default_key(Path(name), folders, pipelines) for name in files)
    return Request(bucket, tuple(name for name in wanted if name not in files), keys, since, until)


def local(
    settings: Settings, wanted: Sequence[str], since: datetime | None, until: datetime | None, rate_per_s: float
) -> int:
    """Backfill on the running stack; gives the exit code.

    Raises:
        StackError: no stack runs on the data folder.
    """
    endpoint_url = stack_lock.require_running(settings)
    described = stack_template.load(settings.root / "template.yaml")
    s3, sqs = clients.local_s3(endpoint_url), clients.local_sqs(endpoint_url)
    asked = request(settings, described.source_bucket, wanted, since, until)
    where = f"local {bucket_epoch(s3, described.source_bucket)}"
    return _run(settings, where, asked, described.queue_name, s3, sqs, rate_per_s, ask=False)


def on_aws(
    settings: Settings, wanted: Sequence[str], since: datetime | None, until: datetime | None, rate_per_s: float,
    bucket: str | None, queue: str | None, *, ask: bool,
) -> int:  # fmt: skip
    """Backfill in the account of the user's credentials; gives the exit code.

    Raises:
        SettingsError: bucket or queue are not named.
        StackError: AWS refuses.
    """
    if not bucket or not queue:
        raise SettingsError("--aws needs --bucket and --queue: the stack's outputs SourceBucketName and QueueUrl.")
    asked = request(settings, bucket, wanted, since, until)
    try:
        number, s3, sqs = account.services()
        say(f"account {number}, bucket {bucket}, queue {queue}, at {s3.meta.endpoint_url} and {sqs.meta.endpoint_url}")
        return _run(settings, f"account {number} {queue}", asked, queue, s3, sqs, rate_per_s, ask=ask)
    except (BotoCoreError, ClientError) as error:
        raise StackError(
            f"AWS refused: {error}\nLook at the names, and at the credentials: aws sts get-caller-identity"
        ) from error


def _run(
    settings: Settings, where: str, asked: Request, queue: str, s3: S3Client, sqs: SQSClient, rate_per_s: float, *,
    ask: bool,
) -> int:  # fmt: skip
    stop = Stop(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    url = queue if queue.startswith("http") else sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    # The same request in another account, or after a restart of the emulator, is another one.
    name = f"{where} {asked}"
    found = asked.find(s3)
    with closing(State(settings.state)) as state:
        last_key = state.backfills.last_key(name)
        left = [item for item in found if last_key is None or item.key > last_key]
        return _send_left(state, name, url, asked, found, left, sqs, rate_per_s, stop, ask=ask)


def _send_left(
    state: State, name: str, url: str, asked: Request, found: Sequence[Listed], left: Sequence[Listed], sqs: SQSClient,
    rate_per_s: float, stop: Stop, *, ask: bool,
) -> int:  # fmt: skip
    say(f"{len(found)} objects" + (f", of which {len(found) - len(left)} were sent before" if left != found else ""))
    if ask and left and not _agreed(len(left)):
        return 1
    try:
        _send(sqs, url, asked.bucket, left, rate_per_s, lambda key: state.backfills.record(name, key), stop)
    except StoppedError:
        say("stopped; the same command goes on from here")
        return 130
    state.backfills.finish(name)
    results.print(f"{len(left)} events sent. `runner status` shows what becomes of local ones.", markup=False)
    return 0


def _agreed(count: int) -> bool:
    import typer

    return typer.confirm(f"Send {count} events to this queue on AWS?", err=True)


def _send(
    sqs: SQSClient,
    url: str,
    bucket: str,
    left: Sequence[Listed],
    rate_per_s: float,
    record: Callable[[str], object],
    stop: Stop,
) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    with Bar(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=progress, transient=True) as bar:
        task = bar.add_task("", total=len(left))

        def sent(batch: Sequence[Listed]) -> None:
            record(batch[-1].key)
            bar.advance(task, len(batch))

        send(sqs, url, bucket, left, rate_per_s, sent, stop.pause)


_MOST_IN_ONE_CALL = 10


@dataclass(frozen=True)
class Request:
    """Which objects: below prefixes or with exact keys, and when they came; one that is asked for twice counts once."""

    bucket: str
    prefixes: tuple[str, ...]
    keys: tuple[str, ...]
    since: datetime | None
    until: datetime | None

    def find(self, s3: S3Client) -> list[Listed]:
        """The objects, in the order of their keys."""
        found: dict[str, Listed] = {}
        for prefix in (*self.prefixes, *self.keys):
            for item in listed(s3, self.bucket, prefix, self.since, self.until):
                if prefix in self.prefixes or item.key == prefix:
                    found[item.key] = item
        return [found[key] for key in sorted(found)]


def send(
    sqs: SQSClient, queue_url: str, bucket: str, items: Sequence[Listed], rate_per_s: float,
    sent: Callable[[Sequence[Listed]], None], pause: Callable[[float], None],
) -> None:  # fmt: skip
    """Send events at a rate, in batches; `sent` is told each batch that the queue has.

    Raises:
        StackError: the queue did not take a message; those before are sent.
    """
    began, count = time.monotonic(), 0
    for batch in _batches(items, min(_MOST_IN_ONE_CALL, math.ceil(rate_per_s))):
        pause(max(0.0, began + count / rate_per_s - time.monotonic()))
        entries: Any = [
            {
                "Id": str(n),
                "MessageBody": json.dumps(object_created(bucket, item.key, item.etag, item.size, item.modified)),
            }
            for n, item in enumerate(batch)
        ]
        failed = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries).get("Failed", [])
        if failed:
            why = failed[0].get("Message") or failed[0]["Code"]
            key = batch[int(failed[0]["Id"])].key
            raise StackError(f"The queue did not take {key}: {why}. The same command again goes on from there.")
        sent(batch)
        count += len(batch)


def _batches(items: Sequence[Listed], size: int) -> Iterator[Sequence[Listed]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]
