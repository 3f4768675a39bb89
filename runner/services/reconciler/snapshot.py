"""Collect what inbox, state, source bucket and queues say about object versions, key by key."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from runner.aws import clients
from runner.aws.s3 import head, list_objects
from runner.aws.sqs import Message
from runner.messages.object_keys import refused
from runner.messages.run_record import FINAL, OPEN
from runner.services.reconciler.backend import Backend
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

# An object's event is in the queue within milliseconds of its upload; S3 gives the time of that in whole seconds.
_EVENT_DELAY_S = 5.0


_Stored = tuple[str, float]
"""An object's ETag, and the time of its last change in seconds."""
_Named = tuple[str, Message]
"""The ETag that a message names, and the message."""


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
        self._queued = _by_version(backend.queues.waiting()) if backend else []
        self._dead = _by_version(backend.queues.dead()) if backend else []
        self._epoch = backend.epoch() if backend else None

    def all(self) -> Iterator[Facts]:
        """Return the facts of every version in the order of their keys, in little memory."""
        return self._facts_of(
            upload=((upload.key, upload) for upload in self._state.uploads.each()),
            stamp=survey(self._inbox, self._state.inbox_problems.all()),
            stored=self._objects(),
            known=((known.key, (known, outputs)) for known, outputs in self._state.versions.each()),
            queued=self._queued,
            dead=self._dead,
        )

    def open(self) -> Iterator[Facts]:
        """Return the facts of each key that has a version without a final outcome or in the dead-letter queue."""
        versions = self._state.versions
        known = {found.job: found for found in versions.with_outcome(*OPEN)}
        for dead, (etag, _) in self._dead:
            known |= {found.job: found for found in versions.of((dead, etag))}
        keys = sorted({job[0] for job in known} | {dead for dead, _ in self._dead})
        files = [key for key in keys if key]
        for key in files:  # also the final versions, which bucket or inbox may hold
            known |= {found.job: found for found in versions.of_key(key)}
        return self._facts_of(
            upload=((key, self._state.uploads.get(key)) for key in files),
            stamp=((key, self._inbox.stamp(key)) for key in files),
            stored=((key, self._object(key)) for key in files if self._notifies(key)),  # else nothing depends on it
            known=((job[0], (known[job], [])) for job in sorted(known)),
            queued=[item for item in self._queued if item[0] in keys],
            dead=self._dead,
        )

    def _facts_of(self, **sources: Iterable[tuple[str, Any]]) -> Iterator[Facts]:
        """Merge what the sources say about each key; each source is in the order of the keys."""
        merged = heapq.merge(*(_named(name, source) for name, source in sources.items()), key=itemgetter(0))
        for key, entries in groupby(merged, key=itemgetter(0)):
            about: dict[str, list[Any]] = {name: [] for name in sources}
            for _, name, value in entries:
                about[name].append(value)
            yield from self._facts(key, **about)

    def _facts(
        self, key: str, upload: list[Upload | None], stamp: list[Found | Problem | None], stored: list[_Stored | None],
        known: list[tuple[KnownVersion, list[str]]], queued: list[_Named], dead: list[_Named],
    ) -> Iterator[Facts]:  # fmt: skip
        """Return the facts of each version of a key in each pipeline."""
        last, file, (in_bucket, changed_at) = _first(upload), _first(stamp), _first(stored) or (None, 0.0)
        if isinstance(file, Problem):
            yield Facts(key, refusal=file.reason, is_unreadable=not file.is_refused)
            file = None
        if file and (refusal := refused(key)):
            yield Facts(key, refusal=refusal)
            return
        uploaded = last.etag if last else None
        in_inbox = uploaded if last and file == last.stamp else None
        filtered = bool(key) and not self._notifies(key)
        if file and not in_inbox:
            yield Facts(key, is_uploaded=False, filtered=filtered)
        newest = in_bucket or ((in_inbox or "changed") if file else uploaded)
        etags = {found.etag for found, _ in known}
        unknown = {etag for etag, _ in queued + dead} | {etag for etag in (in_bucket, uploaded) if etag}
        jobs = [*known, *((KnownVersion(key, etag), []) for etag in unknown - etags)]
        for found, outputs in sorted(jobs, key=lambda job: job[0].job):
            etag, config = found.etag, found.config
            yield Facts(
                key,
                etag,
                config,
                pipeline=found.pipeline if sum(other.etag == etag for other, _ in known) > 1 else None,
                outcome=found.outcome if etag in etags else None,
                reason=found.reason,
                missing_output=missing_output(self._settings.outputs, outputs),
                is_in_inbox=etag == in_inbox,
                is_in_bucket=etag == in_bucket,
                is_new=etag == in_bucket and changed_at > self._since,
                is_replaced=newest is not None and newest != etag,
                is_lost=last is not None and last.epoch != self._epoch,
                is_queued=any(message.concerns(found.job) for _, message in queued),
                is_dead=any(message.concerns(found.job) for _, message in dead),
                filtered=filtered,
            )

    def _notifies(self, key: str) -> bool:
        """Return whether the source bucket sends an event for a key."""
        prefix, suffix = self._template.filter_prefix or "", self._template.filter_suffix or ""
        return key.startswith(prefix) and key.endswith(suffix)

    def _objects(self) -> Iterator[tuple[str, _Stored]]:
        """Return ETag and time of each object of the source bucket; S3 lists them in the order of their keys."""
        if self._backend:
            with clients.answering():
                for item in list_objects(self._backend.s3, self._template.source_bucket, ""):
                    yield item.key, (item.etag, item.modified.timestamp())

    def _object(self, key: str) -> _Stored | None:
        if not self._backend:
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
        return Finding(*known.job, state="unaccounted", reason=problem)
    missing = missing_output(outputs, [output["key"] for output in run.record["outputs"]] if run else [])
    return classify(
        Facts(*known.job, outcome=known.outcome, reason=known.reason, missing_output=missing, is_queued=is_open)
    )


def missing_output(folder: Path, keys: Iterable[str]) -> str | None:
    """Return the first of some outputs that is not in the outputs folder."""
    return next((key for key in keys if not (folder / key).is_file()), None)


def _by_version(messages: Iterable[Message]) -> list[tuple[str, _Named]]:
    """Return each version that messages name, with its message, in the order of keys."""
    found = [(key, (etag, message)) for message in messages for key, etag in message.versions]
    return sorted(found, key=itemgetter(0))


def _named(name: str, source: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, str, Any]]:
    return ((key, name, value) for key, value in source)


def _first(found: list[Any]) -> Any:
    return found[0] if found else None
