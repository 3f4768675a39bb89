"""Looks at everything that the balance sheet is made of: inbox, ledger, bucket, queues, history, outputs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from runner import aws, report
from runner.balance import LastRun, World
from runner.errors import StackError
from runner.history import History, Ledger, Run, Version
from runner.inbox import Inbox, printable, refused
from runner.mirror import is_mirrored
from runner.queues import Queues
from runner.record import Output
from runner.settings import Settings
from runner.template import StackTemplate

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

# An object's event is in the queue within milliseconds of its upload; S3 tells the time of that in whole seconds.
_ON_ITS_WAY_S = 5.0


@dataclass(frozen=True)
class Backend:
    """The S3 and SQS of a running stack."""

    s3: S3Client
    queues: Queues
    template: StackTemplate

    @classmethod
    def at(cls, endpoint_url: str, template: StackTemplate) -> Backend:
        """Those that answer at an endpoint."""
        return cls(aws.local_s3(endpoint_url), Queues(endpoint_url, template), template)


def take(
    settings: Settings, template: StackTemplate, ledger: Ledger, history: History, backend: Backend | None
) -> World:
    """See where everything is now; without a backend only what lies in folders.

    The order is that in which files move, bucket, queue, dead-letter queue, history: what moves on meanwhile is seen
    twice rather than not at all.

    Raises:
        StackError: the backend does not answer.
    """
    epoch, objects, fresh = _bucket(backend) if backend else (None, {}, set[Version]())
    queued = {version for message in backend.queues.waiting() for version in message.versions} if backend else set()
    dead = {version for message in backend.queues.dead() for version in message.versions} if backend else set()
    uploads = {upload.key: upload for upload in ledger.uploads()}
    inbox = Inbox(settings.inbox, settings.ignored_names)
    keys = list(inbox.scan())
    stamps = {key: stamp for key in keys if not refused(key) and (stamp := inbox.stamp(key))}
    sent = {
        key: uploads[key].etag if key in uploads and (uploads[key].size, uploads[key].mtime_ns) == stamp else None
        for key, stamp in stamps.items()
    }
    return World(
        inbox=sent,
        refused={printable(key): reason for key in keys if (reason := refused(key))},
        unnoticed={key: reason for key in {*stamps, *objects} if (reason := _unnoticed(template, key))},
        uploads={key: upload.etag for key, upload in uploads.items()},
        lost=frozenset(key for key, upload in uploads.items() if upload.epoch != epoch),
        objects=objects,
        queued=frozenset(queued),
        fresh=frozenset(fresh),
        dead=frozenset(dead),
        runs=_runs(settings, history, backend),
    )


def _bucket(backend: Backend) -> tuple[str | None, dict[str, str], set[Version]]:
    """The source bucket's epoch, its objects, and those among them that have only just come."""
    name = backend.template.source_bucket
    with answering():
        epoch = aws.bucket_epoch(backend.s3, name)
        pages = backend.s3.get_paginator("list_objects_v2").paginate(Bucket=name)
        found = [item for page in pages for item in page.get("Contents", [])]
    objects = {item["Key"]: item["ETag"].strip('"') for item in found}
    since = time.time() - _ON_ITS_WAY_S
    return epoch, objects, {
        (item["Key"], objects[item["Key"]]) for item in found if item["LastModified"].timestamp() > since
    }  # fmt: skip


def _unnoticed(template: StackTemplate, key: str) -> str | None:
    if key.startswith(template.filter_prefix or "") and key.endswith(template.filter_suffix or ""):
        return None
    return "The notification's filter in template.yaml passes it over."


def _runs(settings: Settings, history: History, backend: Backend | None) -> dict[Version, LastRun]:
    kept, arrived = history.kept(), set[int]()
    found: dict[Version, LastRun] = {}
    for run, about in history.latest():
        missing: tuple[str, ...] = ()
        came = run.id in kept
        if run.outcome == "succeeded":
            if not came and is_mirrored(run, settings.outputs):
                arrived.add(run.id)
                came = True
            missing = _missing(settings.outputs, run, backend, came=came)
        found |= {version: _last(run, version, missing, came) for version in about}
    history.keep(arrived)
    return found


def _last(run: Run, version: Version, missing: tuple[str, ...], kept: bool) -> LastRun:
    was_read = not version[0] or version in [(item["key"], item["etag"] or "") for item in run.record["inputs"]]
    reason = run.record["reason"] or report.why(run.record)
    return LastRun(run.outcome, reason, was_read, missing, kept)


def _missing(folder: Path, run: Run, backend: Backend | None, *, came: bool) -> tuple[str, ...]:
    """Outputs that are neither in the outputs folder nor in the bucket.

    Until they `came` into the folder, a file there may be that of an earlier run.
    """
    return tuple(
        output["key"]
        for output in run.record["outputs"]
        if not (came and (folder / output["key"]).is_file()) and not (backend and _is_stored(backend.s3, output))
    )


def _is_stored(s3: S3Client, output: Output) -> bool:
    with answering():
        found = s3.list_objects_v2(Bucket=output["bucket"], Prefix=output["key"]).get("Contents", [])
    return any(item["Key"] == output["key"] for item in found)


@contextmanager
def answering() -> Iterator[None]:
    """Tell a person what it means that S3 did not answer."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise StackError(f"S3 does not answer: {error}. Is the stack starting? Try again.") from error
