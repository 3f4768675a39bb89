"""Collect what inbox, state, source bucket and queues say about object versions, key by key."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.aws import clients
from runner.aws.s3 import bucket_epoch, head, list_objects
from runner.aws.sqs import Queues
from runner.messages.object_keys import refused
from runner.messages.run_record import FINAL, Version
from runner.services.reconciler.classify import Facts, Finding, classify
from runner.services.watcher.entries import Found
from runner.services.watcher.inbox import Inbox
from runner.services.watcher.survey import survey
from runner.settings import Settings
from runner.state.database import State
from runner.state.inbox_problems import Problem
from runner.state.runs import Run
from runner.state.uploads import Upload
from runner.state.versions import KnownVersion
from runner.template.stack_template import StackTemplate

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

# An object's event is in the queue within milliseconds of its upload; S3 gives the time of that in whole seconds.
_EVENT_DELAY_S = 5.0


@dataclass(frozen=True)
class Backend:
    """The S3 and SQS of a running stack."""

    s3: S3Client
    queues: Queues
    template: StackTemplate

    @classmethod
    def at(cls, endpoint_url: str, template: StackTemplate) -> Backend:
        """Return those that answer at an endpoint."""
        queues = Queues(endpoint_url, template.queue_name, template.dead_letter_queue_name)
        return cls(clients.local_s3(endpoint_url), queues, template)

    def epoch(self) -> str | None:
        """Return the life of the source bucket; None while it is not complete."""
        return bucket_epoch(self.s3, self.template.source_bucket)


@dataclass
class _Key:
    """What each source says about one key."""

    upload: Upload | None = None
    stamp: Found | None = None
    object: tuple[str, float] | None = None
    """ETag, and time of the last change in seconds."""
    known: list[tuple[KnownVersion, list[str]]] = field(default_factory=list)
    queued: set[str] = field(default_factory=set)
    dead: set[str] = field(default_factory=set)


class Snapshot:
    """What is known at one time.

    The queues are read first. A message that moves meanwhile then appears twice rather than not at all, and an event
    that arrives meanwhile is missed once: so only what two snapshots agree on counts.

    Raises:
        StackError: the backend does not answer.
    """

    def __init__(self, settings: Settings, template: StackTemplate, state: State, backend: Backend | None) -> None:
        self._settings, self._template, self._state, self._backend = settings, template, state, backend
        self._inbox = Inbox(settings.inbox, settings.ignored_names)
        self._since = time.time() - _EVENT_DELAY_S
        self._queued = _versions(backend.queues.waiting()) if backend else []
        self._dead = _versions(backend.queues.dead()) if backend else []
        self._epoch = backend.epoch() if backend else None

    def all(self) -> Iterator[Facts]:
        """Return the facts of every version in the order of their keys, in little memory."""
        sources: dict[str, Iterable[tuple[str, Any]]] = {
            "upload": ((upload.key, upload) for upload in self._state.uploads.each()),
            "stamp": survey(self._inbox, self._state.inbox_problems.all()),
            "object": self._objects(),
            "known": ((known.key, (known, outputs)) for known, outputs in self._state.versions.each()),
            "queued": self._queued,
            "dead": self._dead,
        }
        merged = heapq.merge(*(_named(name, source) for name, source in sources.items()), key=itemgetter(0))
        for key, entries in groupby(merged, key=itemgetter(0)):
            about = _Key()
            for _, name, value in entries:
                match name:
                    case "known":
                        about.known.append(value)
                    case "queued" | "dead":
                        getattr(about, name).add(value)
                    case _:
                        setattr(about, name, value)
            yield from self._facts(key, about)

    def open(self) -> Iterator[Facts]:
        """Return the facts of each key that has a version without a final outcome or in the dead-letter queue."""
        known = {found.version: found for found in self._state.versions.not_final()}
        about: dict[str, _Key] = {key: _Key() for key, _ in sorted({*known, *self._dead})}
        for key in filter(None, about):  # also the final versions, which bucket or inbox may hold
            known |= {found.version: found for found in self._state.versions.of_key(key)}
        for version in self._dead:
            if version not in known and (found := self._state.versions.get(version)):
                known[version] = found
        for (key, _), found in known.items():
            about[key].known.append((found, []))
        for key, etag in self._dead:
            about[key].dead.add(etag)
        for key, etag in self._queued:
            if key in about:
                about[key].queued.add(etag)
        for key, one in about.items():
            one.upload = self._state.uploads.get(key)
            one.object = self._object(key) if self._notifies(key) else None  # nothing depends on it otherwise
            one.stamp = self._inbox.stamp(key) if key else None
            yield from self._facts(key, one)

    def _facts(self, key: str, about: _Key) -> Iterator[Facts]:
        """Return the facts of each version of a key."""
        if isinstance(about.stamp, Problem):
            yield Facts(key, refusal=about.stamp.reason, is_unreadable=not about.stamp.is_refused)
            about.stamp = None
        refusal = refused(key) if about.stamp else None
        if refusal:
            yield Facts(key, refusal=refusal)
            return
        upload, etag_in_bucket = about.upload, about.object[0] if about.object else None
        in_inbox = upload.etag if upload and about.stamp == upload.stamp else ""
        filtered = bool(key) and not self._notifies(key)
        if about.stamp and not in_inbox:
            yield Facts(key, is_uploaded=False, filtered=filtered)
        known = {found.etag: (found, outputs) for found, outputs in about.known}
        uploaded = upload.etag if upload else ""
        etags = {*known, *about.queued, *about.dead, *filter(None, (in_inbox, uploaded, etag_in_bucket))}
        newest = etag_in_bucket or (in_inbox if about.stamp else uploaded or None)
        changed_at = about.object[1] if about.object else 0.0
        for etag in sorted(etags):
            found, outputs = known.get(etag, (None, []))
            yield Facts(
                key,
                etag,
                outcome=found.outcome if found else None,
                reason=found.reason if found else "",
                missing_output=self._missing(outputs) if found and found.outcome == "succeeded" else None,
                is_in_inbox=etag == in_inbox,
                is_in_bucket=etag == etag_in_bucket,
                is_new=etag == etag_in_bucket and changed_at > self._since,
                is_replaced=newest is not None and newest != etag,
                is_lost=upload is not None and upload.epoch != self._epoch,
                is_queued=etag in about.queued,
                is_dead=etag in about.dead,
                filtered=filtered,
            )

    def _notifies(self, key: str) -> bool:
        """Return whether the source bucket sends an event for a key."""
        prefix, suffix = self._template.filter_prefix or "", self._template.filter_suffix or ""
        return key.startswith(prefix) and key.endswith(suffix)

    def _missing(self, outputs: Iterable[str]) -> str | None:
        return next((output for output in outputs if not (self._settings.outputs / output).is_file()), None)

    def _objects(self) -> Iterator[tuple[str, tuple[str, float]]]:
        """Return ETag and time of each object of the source bucket; S3 lists them in the order of their keys."""
        if self._backend:
            with clients.answering():
                for item in list_objects(self._backend.s3, self._template.source_bucket, ""):
                    yield item.key, (item.etag, item.modified.timestamp())

    def _object(self, key: str) -> tuple[str, float] | None:
        if not self._backend or not key:
            return None
        with clients.answering():
            found = head(self._backend.s3, self._template.source_bucket, key)
        return (found["ETag"].strip('"'), found["LastModified"].timestamp()) if found else None


def finding_of(known: KnownVersion, run: Run | None, outputs: Path, problem: str | None) -> Finding:
    """Return the state of the current version of a key from the state file alone.

    Args:
        outputs: the outputs folder.
        problem: what the reconciler recorded, if it could not account for the version.
    """
    is_open = known.outcome not in FINAL
    if is_open and problem:
        return Finding(known.key, known.etag, "unaccounted", problem)
    keys = [output["key"] for output in run.record["outputs"]] if run else []
    missing = next((key for key in keys if not (outputs / key).is_file()), None)
    return classify(
        Facts(
            known.key, known.etag, outcome=known.outcome, reason=known.reason, missing_output=missing, is_queued=is_open
        )
    )


def _versions(messages: Iterable[Any]) -> list[Version]:
    return sorted({version for message in messages for version in message.versions})


def _named(name: str, source: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, str, Any]]:
    return ((key, name, value) for key, value in source)
