"""Repair what a crash of a process or of the emulator left behind, without processing anything that is finished."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from runner.aws import clients
from runner.aws.s3 import object_etag, sha256_of, upload
from runner.aws.sqs import Message
from runner.messages.run_record import FINAL, Job, Version
from runner.messages.s3_events import for_one_pipeline, object_created
from runner.services.reconciler import dead_letters
from runner.services.reconciler.backend import Backend
from runner.services.reconciler.classify import Facts, Finding, Summary, classify
from runner.services.reconciler.snapshot import Snapshot
from runner.services.watcher.inbox import Inbox
from runner.settings import Settings
from runner.state.database import State
from runner.state.stack_lock import running_at
from runner.template import stack_template
from runner.template.stack_template import StackTemplate


@dataclass
class Reconciler:
    """A data folder, and the S3 and SQS of the stack that runs on it, if one does."""

    settings: Settings
    template: StackTemplate
    state: State
    backend: Backend | None
    suspects: set[Job] = field(default_factory=set)
    """What the last look reported for the first time."""

    def snapshot(self) -> Snapshot:
        """Return what is known now.

        Raises:
            StackError: the backend does not answer.
        """
        return Snapshot(self.settings, self.template, self.state, self.backend)

    def look(self, facts: Iterable[Facts]) -> Summary:
        """Classify versions, repair what two looks in a row report, and record what cannot be repaired.

        One look can miss what moves meanwhile, so what only one reports counts as in progress.
        """
        summary, problems = Summary(), dict[Job, Finding]()
        for finding in map(classify, facts):
            if finding.repair or finding.state == "unaccounted":
                problems[finding.job] = finding
            else:
                summary.add(finding)
        known = self.state.versions.unaccounted()  # commands change it, too
        confirmed = (self.suspects | known.keys()) & problems.keys()
        summary.repaired = self.repair(problems[job] for job in sorted(confirmed & self.suspects))
        confirmed -= {finding.job for finding in summary.repaired}
        for job, finding in problems.items():
            is_open = finding.state == "unaccounted" and job not in confirmed
            summary.add(replace(finding, state="in progress") if is_open else finding)
        self.suspects = problems.keys() - self.suspects
        unaccounted = {finding.job: finding.reason for finding in summary.unaccounted}
        if unaccounted != known:
            self.state.versions.set_unaccounted(unaccounted)
        return summary

    def repair(self, findings: Iterable[Finding]) -> list[Finding]:
        """Do what repairs findings; return those for which something was done."""
        dead = functools.cache(lambda: self.backend.queues.dead() if self.backend else [])
        return [finding for finding in findings if self._repair(finding, dead)]

    def _repair(self, finding: Finding, dead: Callable[[], list[Message]]) -> bool:
        if finding.repair == "re-queue":
            return self.requeue(finding.job)
        if finding.repair == "record":
            letter = next((message for message in dead() if message.concerns(finding.job)), None)
            if letter:
                dead_letters.record(self.state, self.template.source_bucket, letter)
            return letter is not None
        with self.state.transaction():  # its run may be recorded at the same time
            known = [known for known in self.state.versions.of(finding.version) if known.config == finding.config]
            may_close = finding.repair == "close" and not any(one.outcome in FINAL for one in known)
            if may_close:
                self.state.versions.set_outcome(
                    finding.version, "skipped", finding.reason, finding.config, is_replaced=True
                )
        return may_close

    def requeue(self, job: Job) -> bool:
        """Have a version processed again: by an event of its object, or by an upload of its file in the inbox."""
        key, etag, _ = job
        if self.backend is None or not key:
            return False
        s3, bucket = self.backend.s3, self.template.source_bucket
        path = self.file_of((key, etag))
        with clients.answering():
            if object_etag(s3, bucket, key) == etag:
                self.send(json.dumps(object_created(bucket, key, etag)), job)
                return True
            if path:
                upload(s3, bucket, key, path, sha256_of(path))
        return path is not None

    def send(self, body: str, job: Job) -> None:
        """Put a message into the queue: for one pipeline alone if several process its file."""
        if self.backend:
            several = self.state.versions.has_several(job[:2])
            self.backend.queues.send(for_one_pipeline(body, job[2]) if several else body)

    def file_of(self, version: Version) -> Path | None:
        """Return the file in the inbox that was uploaded as a version and has not changed since; None without one."""
        key, etag = version
        inbox, uploaded = Inbox(self.settings.inbox, self.settings.ignored_names), self.state.uploads.get(key)
        is_same = uploaded and uploaded.etag == etag and inbox.stamp(key) == uploaded.stamp
        return inbox.path(key) if is_same else None


@contextmanager
def opened(settings: Settings, template: StackTemplate, endpoint_url: str | None) -> Iterator[Reconciler]:
    """Open the state of a data folder for the body; without an endpoint only what is known without a stack."""
    with closing(State(settings.state)) as state:
        yield Reconciler(settings, template, state, Backend.at(endpoint_url, template) if endpoint_url else None)


def opened_for_command(settings: Settings) -> AbstractContextManager[Reconciler]:
    """Open a data folder with the stack that runs on it, if one does."""
    return opened(settings, stack_template.load_for(settings), running_at(settings))
