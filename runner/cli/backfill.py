"""`runner backfill`: send objects that are already in a source bucket through the queue, as if they arrived now."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runner.aws import clients
from runner.aws.s3 import ListedObject, bucket_epoch
from runner.cli.backfill_request import Checkpoint, Request, send
from runner.cli.deploy import account
from runner.cli.interrupt import INTERRUPTED, stop_on_signals
from runner.cli.options import AsJson, Data, Time, chosen
from runner.cli.output import print_json, progress, results, say
from runner.cli.submit import keys_of
from runner.errors import SettingsError, StackError, StoppedError
from runner.settings import Settings
from runner.state import stack_lock
from runner.state.database import State
from runner.template import stack_template

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sqs.client import SQSClient


def backfill(
    wanted: Annotated[list[str], typer.Argument(metavar="PREFIX|FILE…", help="Start of keys, or a local file.")],
    since: Time = None,
    until: Time = None,
    rate: Annotated[float, typer.Option(min=0.01, help="Events per second.")] = 10.0,
    aws: Annotated[bool, typer.Option("--aws", help="In your AWS account; needs --bucket and --queue.")] = False,
    bucket: Annotated[str | None, typer.Option(help="The source bucket on AWS.", show_default=False)] = None,
    queue: Annotated[str | None, typer.Option(help="The queue's name or URL on AWS.", show_default=False)] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Send to AWS without asking.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Send objects in the bucket through the queue again.

    This selects all objects whose keys start with a prefix, or the object of a local file. `--since` and `--until`
    select by the time when objects arrived. If the command was stopped, the same command resumes where it was.

    Example: `runner backfill a2e_buoy_ingest/ --since 2020-12-01 --rate 2`
    """
    settings = chosen(data)
    options = Options(wanted, since, until, rate, as_json=as_json)
    if aws:
        code = backfill_on_aws(settings, options, bucket, queue, ask=not yes)
    else:
        code = backfill_locally(settings, options)
    raise typer.Exit(code)


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    wanted: Sequence[str]
    since: datetime | None
    until: datetime | None
    rate_per_s: float
    as_json: bool

    def request(self, settings: Settings, bucket: str) -> Request:
        """Return the request: names of existing files stand for their keys, everything else is a prefix."""
        files = [name for name in self.wanted if Path(name).is_file()]
        prefixes = tuple(name for name in self.wanted if name not in files)
        return Request(bucket, prefixes, tuple(keys_of(settings, map(Path, files))), self.since, self.until)


@dataclass(frozen=True)
class BackfillTarget:
    """The services that a backfill uses, and a name that distinguishes them from others."""

    where: str
    s3: S3Client
    sqs: SQSClient
    queue: str
    """Name or URL."""


def backfill_locally(settings: Settings, options: Options) -> int:
    """Backfill on the running stack, and return the exit code.

    Raises:
        StackError: no stack runs on the data folder.
    """
    endpoint_url = stack_lock.require_running(settings)
    template = stack_template.load_for(settings)
    s3, sqs = clients.local_s3(endpoint_url), clients.local_sqs(endpoint_url)
    target = BackfillTarget(f"local {bucket_epoch(s3, template.source_bucket)}", s3, sqs, template.queue_name)
    return _backfill(settings, options, options.request(settings, template.source_bucket), target, ask=False)


def backfill_on_aws(settings: Settings, options: Options, bucket: str | None, queue: str | None, *, ask: bool) -> int:
    """Backfill in the account of the user's credentials, and return the exit code.

    Raises:
        SettingsError: bucket or queue are not named.
        StackError: AWS refuses.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    if not bucket or not queue:
        raise SettingsError("--aws needs --bucket and --queue: the stack's outputs SourceBucketName and QueueUrl.")
    request = options.request(settings, bucket)
    try:
        number, s3, sqs = account.services()
        say(f"account {number}, bucket {bucket}, queue {queue}, at {s3.meta.endpoint_url} and {sqs.meta.endpoint_url}")
        return _backfill(
            settings, options, request, BackfillTarget(f"account {number} {queue}", s3, sqs, queue), ask=ask
        )
    except (BotoCoreError, ClientError) as error:
        raise StackError(
            f"AWS refused: {error}\nCheck the names, and the credentials: aws sts get-caller-identity"
        ) from error


def _backfill(settings: Settings, options: Options, request: Request, target: BackfillTarget, *, ask: bool) -> int:
    is_url = target.queue.startswith("http")
    url = target.queue if is_url else target.sqs.get_queue_url(QueueName=target.queue)["QueueUrl"]
    found = request.find(target.s3)
    with closing(State(settings.state)) as state:
        checkpoint = Checkpoint(state.backfills, target.where, request)
        return _send_unsent(options, request, target, url, found, checkpoint, ask=ask)


def _send_unsent(
    options: Options, request: Request, target: BackfillTarget, url: str, found: Sequence[ListedObject],
    checkpoint: Checkpoint, *, ask: bool,
) -> int:  # fmt: skip
    unsent = checkpoint.unsent(found)
    earlier = len(found) - len(unsent)
    say(f"{len(found)} objects" + (f", {earlier} of them sent before" if earlier else ""))
    if ask and unsent and not _confirm(f"Send {len(unsent)} events to this queue on AWS?"):
        return 1
    try:
        _send_with_progress_bar(target.sqs, url, request.bucket, unsent, options.rate_per_s, checkpoint)
    except StoppedError:
        say("stopped; run the same command again to resume")
        return INTERRUPTED
    checkpoint.finish()
    if options.as_json:
        print_json({"bucket": request.bucket, "objects": len(found), "sent_before": earlier, "sent": len(unsent)})
    else:
        results.print(f"{len(unsent)} events sent. `runner status` shows the outcome of local files.", markup=False)
    return 0


def _confirm(question: str) -> bool:
    progress.print(f"{question} [y/N] ", markup=False, end="")
    try:
        return input().strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _send_with_progress_bar(
    sqs: SQSClient, url: str, bucket: str, items: Sequence[ListedObject], rate_per_s: float, checkpoint: Checkpoint
) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    stop = stop_on_signals()
    with Progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=progress, transient=True) as bar:
        task = bar.add_task("", total=len(items))

        def record(batch: Sequence[ListedObject]) -> None:
            checkpoint.reach(batch[-1].key)
            bar.advance(task, len(batch))

        send(sqs, url, bucket, items, rate_per_s, record, stop.pause)
