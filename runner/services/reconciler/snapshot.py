"""Looks at everything that the balance sheet is made of: inbox, ledger, bucket, queues, history, outputs."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.aws import clients
from runner.aws.s3 import bucket_epoch, head
from runner.aws.sqs import Queues
from runner.messages import run_summary
from runner.messages.object_keys import refused
from runner.messages.run_record import Output, Version
from runner.services.reconciler.classify import LastRun, World
from runner.services.watcher.inbox import Inbox
from runner.settings import Settings
from runner.state.outputs import RESTORED, is_mirrored
from runner.state.runs import History, Run
from runner.state.uploads import Ledger, Stamp, Upload
from runner.template.stack_template import StackTemplate

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
        return cls(
            clients.local_s3(endpoint_url),
            Queues(endpoint_url, template.queue_name, template.dead_letter_queue_name),
            template,
        )


def take(
    settings: Settings, template: StackTemplate, ledger: Ledger, history: History, backend: Backend | None,
    keys_at_once: int = 1000,
) -> Iterator[World]:  # fmt: skip
    """See where everything is now, some keys at a time; without a backend only what lies in folders.

    The queues come first. What leaves them meanwhile is seen twice rather than not at all, and what enters them has
    only just come into the bucket or is missed once: so unaccounted for is only what two looks find.

    Raises:
        StackError: the backend does not answer.
    """
    since = time.time() - _ON_ITS_WAY_S
    epoch, queued, dead = _elsewhere(backend) if backend else (None, set[Version](), set[Version]())
    inbox = Inbox(settings.inbox, settings.ignored_names)
    arrived: set[int] = set()
    sources = {
        "uploads": ((upload.key, upload) for upload in ledger.uploads()),
        "queued": ((version[0], version) for version in sorted(queued)),
        "dead": ((version[0], version) for version in sorted(dead)),
        "objects": _objects(backend) if backend else (),
        "inbox": ((key, inbox.stamp(key)) for key in inbox.scan()),
        "runs": _runs(settings, history, backend, arrived),
    }
    for known in _in_step(sources, keys_at_once):
        uploads, objects = dict(known["uploads"]), dict(known["objects"])
        refusals = {key: reason for key, _ in known["inbox"] if (reason := refused(key))}
        stamps = {key: stamp for key, stamp in known["inbox"] if stamp and key not in refusals}
        yield World(
            inbox={key: _sent(uploads.get(key), stamp) for key, stamp in stamps.items()},
            refused=refusals,
            unnoticed={key: reason for key in {*stamps, *objects} if (reason := _unnoticed(template, key))},
            uploads={key: upload.etag for key, upload in uploads.items()},
            lost=frozenset(key for key, upload in uploads.items() if upload.epoch != epoch),
            objects={key: etag for key, (etag, _) in objects.items()},
            queued=frozenset(version for _, version in known["queued"]),
            fresh=frozenset((key, etag) for key, (etag, modified) in objects.items() if modified > since),
            dead=frozenset(version for _, version in known["dead"]),
            runs=dict(run for _, run in known["runs"]),
        )
    history.keep(arrived)


def _in_step(
    sources: Mapping[str, Iterable[tuple[str, Any]]], keys_at_once: int
) -> Iterator[dict[str, list[tuple[str, Any]]]]:
    """What sources in the order of their keys say of the same keys, with so many keys at a time."""
    told = heapq.merge(*(_named(name, source) for name, source in sources.items()), key=itemgetter(0))
    by_key = groupby(told, key=itemgetter(0))
    while some := list(islice(((key, list(facts)) for key, facts in by_key), keys_at_once)):
        known: dict[str, list[tuple[str, Any]]] = {name: [] for name in sources}
        for key, facts in some:
            for _, name, value in facts:
                known[name].append((key, value))
        yield known


def _named(name: str, source: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, str, Any]]:
    return ((key, name, value) for key, value in source)


def _elsewhere(backend: Backend) -> tuple[str | None, set[Version], set[Version]]:
    """The source bucket's epoch, and what has a message in the queue and in the dead-letter queue."""
    epoch = bucket_epoch(backend.s3, backend.template.source_bucket)
    queued = {version for message in backend.queues.waiting() for version in message.versions}
    return epoch, queued, {version for message in backend.queues.dead() for version in message.versions}


def _objects(backend: Backend) -> Iterator[tuple[str, tuple[str, float]]]:
    """ETag and time of each object of the source bucket; S3 lists them in the order of their keys."""
    with clients.answering():
        for page in backend.s3.get_paginator("list_objects_v2").paginate(Bucket=backend.template.source_bucket):
            for item in page.get("Contents", []):
                yield item["Key"], (item["ETag"].strip('"'), item["LastModified"].timestamp())


def _sent(upload: Upload | None, stamp: Stamp) -> str | None:
    """The ETag that a file of the inbox had when it was uploaded as it is now."""
    return upload.etag if upload and upload.stamp == stamp else None


def _unnoticed(template: StackTemplate, key: str) -> str | None:
    if key.startswith(template.filter_prefix or "") and key.endswith(template.filter_suffix or ""):
        return None
    return "The notification's filter in template.yaml passes it over."


def _runs(
    settings: Settings, history: History, backend: Backend | None, arrived: set[int]
) -> Iterator[tuple[str, tuple[Version, LastRun]]]:
    """The last run of each version; adds to `arrived` those whose outputs have come into the outputs folder since."""
    for version, run, came in history.last_runs():
        missing: tuple[str, ...] = ()
        if run.outcome == "succeeded":
            if not came and is_mirrored(run, settings.outputs):
                arrived.add(run.id)
                came = True
            missing = _missing(settings.outputs, run, backend, came=came)
        yield version[0], (version, _last(run, version, missing, came))


def _last(run: Run, version: Version, missing: tuple[str, ...], kept: bool) -> LastRun:
    was_read = not version[0] or version in [(item["key"], item["etag"] or "") for item in run.record["inputs"]]
    reason = run.record["reason"] or run_summary.why(run.record)
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
    with clients.answering():
        found = head(s3, output["bucket"], output["key"])
    return found is not None and RESTORED not in found["Metadata"]
