"""Repair what a crash of a process or of the emulator left behind, without processing anything that is finished."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner.aws import clients
from runner.aws.s3 import object_etag, sha256_of, upload
from runner.aws.sqs import Message
from runner.messages.run_record import OUTPUT_MISSING, Failure, Input, RunRecord, Version, new_record
from runner.messages.s3_events import object_created
from runner.services.reconciler.classify import Finding
from runner.services.reconciler.snapshot import Backend, Snapshot
from runner.services.watcher.inbox import Inbox
from runner.settings import Settings
from runner.state.database import State
from runner.state.runs import Run
from runner.template.stack_template import StackTemplate


@dataclass
class Reconciler:
    """A data folder, and the S3 and SQS of the stack that runs on it, if one does."""

    settings: Settings
    template: StackTemplate
    state: State
    backend: Backend | None

    def snapshot(self) -> Snapshot:
        """Return what is known now.

        Raises:
            StackError: the backend does not answer.
        """
        return Snapshot(self.settings, self.template, self.state, self.backend)

    def repair(self, findings: Iterable[Finding]) -> list[Finding]:
        """Do what repairs findings; return those for which something was done."""
        findings = list(findings)
        done = [finding for finding in findings if finding.repair == "re-queue" and self.requeue(finding.version)]
        done += [finding for finding in findings if finding.repair == "close" and self._close(finding)]
        unrecorded = {finding.version: finding for finding in findings if finding.repair == "record"}
        for message in self.backend.queues.dead() if unrecorded and self.backend else []:
            if any(version in unrecorded for version in message.versions):
                self._record_dead_letter(message)
                done += [unrecorded.pop(version) for version in message.versions if version in unrecorded]
        return done

    def requeue(self, version: Version) -> bool:
        """Have a version processed again: by an event of its object, or by an upload of its file in the inbox."""
        key, etag = version
        if self.backend is None or not key:
            return False
        s3, bucket = self.backend.s3, self.template.source_bucket
        path = self.file_of(version)
        with clients.answering():
            if object_etag(s3, bucket, key) == etag:
                self.backend.queues.send(json.dumps(object_created(bucket, key, etag)))
                return True
            if path:
                upload(s3, bucket, key, path, sha256_of(path))
        return path is not None

    def _close(self, finding: Finding) -> bool:
        with self.state.transaction():  # its run may be recorded at the same time
            is_open = not self.state.versions.is_final(finding.version)
            if is_open:
                self.state.versions.set_outcome(finding.version, "skipped", finding.reason, is_replaced=True)
        return is_open

    def file_of(self, version: Version) -> Path | None:
        """Return the file in the inbox that was uploaded as a version and has not changed since; None without one."""
        key, etag = version
        inbox, uploaded = Inbox(self.settings.inbox, self.settings.ignored_names), self.state.uploads.get(key)
        is_same = uploaded and uploaded.etag == etag and inbox.stamp(key) == uploaded.stamp
        return inbox.path(key) if is_same else None

    def _input(self, version: Version) -> Input:
        return {"bucket": self.template.source_bucket, "key": version[0], "size": None, "etag": version[1]}

    def _record_dead_letter(self, message: Message) -> None:
        """Record why a message is in the dead-letter queue when no process saw its last attempt."""
        with self.state.transaction():  # its run may be recorded at the same time
            self._record_open(message)

    def _record_open(self, message: Message) -> None:
        last = {version: self.state.runs.of(version) for version in message.versions}
        open_runs = {version: run for version, run in last.items() if not self.state.versions.is_final(version)}
        by_run: dict[int, tuple[Run | None, list[Version]]] = {}
        for version, run in open_runs.items():
            by_run.setdefault(run.id if run else 0, (run, []))[1].append(version)
        for run, versions in by_run.values():
            names_a_file = [version for version in versions if version[0]]
            before: RunRecord = run.record if run else new_record("failed", "")
            record: RunRecord = {
                **before, "status": "failed", "reason": None, "message_id": message.id, "outputs": [], "qc": {},
                "inputs": [self._input(version) for version in names_a_file], "error": _no_answer(before),
            }  # fmt: skip
            if names_a_file == versions:
                record["schedule"] = record["window"] = None
            body_md5 = next((etag for key, etag in versions if not key), "")
            self.state.runs.add(record, "dead-lettered", message.attempts, body_md5)


def _no_answer(last: RunRecord) -> Failure:
    text = "Its last attempt returned no answer, because a process of the stack was killed."
    before = last["error"]
    if before and before["type"] == OUTPUT_MISSING:  # such a failure is never recorded as the last attempt
        return before
    if before:
        return {**before, "message": f"{text} The attempt before: {before['message']}"}
    return {"type": "NoAnswer", "message": f"{text} `runner retry` runs it again.", "phase": "invoke", "traceback": ""}


@contextmanager
def opened(settings: Settings, template: StackTemplate, endpoint_url: str | None) -> Iterator[Reconciler]:
    """Open the state of a data folder for the body; without an endpoint only what is known without a stack."""
    with closing(State(settings.state)) as state:
        yield Reconciler(settings, template, state, Backend.at(endpoint_url, template) if endpoint_url else None)
