"""The books of a data folder: everything that a balance is drawn from, and what sets it right."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner.aws import clients
from runner.aws.s3 import object_etag, sha256_of, upload
from runner.aws.sqs import Message
from runner.messages.run_record import FINAL, Failure, Input, RunRecord, Version, new_record
from runner.messages.s3_events import object_created
from runner.services.reconciler.classify import Finding, Sheet, draw
from runner.services.reconciler.snapshot import Backend, take
from runner.services.watcher.inbox import Inbox
from runner.settings import Settings
from runner.state.runs import History
from runner.state.uploads import Ledger
from runner.template.stack_template import StackTemplate


@dataclass
class Books:
    """Ledger, history and folders, and the running stack's S3 and SQS if there is one."""

    settings: Settings
    template: StackTemplate
    ledger: Ledger
    history: History
    backend: Backend | None

    def look(self) -> Sheet:
        """The balance as it is now.

        Raises:
            StackError: the backend does not answer.
        """
        return draw(take(self.settings, self.template, self.ledger, self.history, self.backend))

    def mend(self, findings: Iterable[Finding]) -> list[Finding]:
        """Do what sets findings right; gives those for which something could be done."""
        findings = list(findings)
        done = [finding for finding in findings if finding.remedy == "again" and self._again(finding)]
        dead = {(finding.key, finding.etag): finding for finding in findings if finding.remedy == "enter"}
        for message in self.backend.queues.dead() if dead and self.backend else []:
            found = [dead.pop(version) for version in message.versions if version in dead]
            # Somebody may have tried it again meanwhile.
            if any(self.history.outcome(finding.key, finding.etag) not in FINAL for finding in found):
                self._enter(message)
                done += found
        return done

    def _again(self, finding: Finding) -> bool:
        run = self.history.of(finding.key, finding.etag)
        if run and run.outcome in FINAL:
            record: RunRecord = {**run.record, "reason": f"taken up again: it {finding.problem}"}
            self.history.enter(record, [(finding.key, finding.etag)], "retried", run.attempt)
        return self.give_again(finding.key, finding.etag)

    def give_again(self, key: str, etag: str) -> bool:
        """Have a version processed once more: by an event of its object, else by a new upload from the inbox."""
        if self.backend is None or not key:
            return False
        s3, bucket = self.backend.s3, self.template.source_bucket
        path = self.file_of(key, etag)
        with clients.answering():
            if object_etag(s3, bucket, key) == etag:
                self.backend.queues.send(json.dumps(object_created(bucket, key, etag)))
                return True
            if path:
                upload(s3, bucket, key, path, sha256_of(path))
        return path is not None

    def file_of(self, key: str, etag: str) -> Path | None:
        """The file of the inbox that was uploaded as this version and is unchanged since; None when there is none."""
        inbox, upload = Inbox(self.settings.inbox, self.settings.ignored_names), self.ledger.get(key)
        same = upload and upload.etag == etag and inbox.stamp(key) == upload.stamp
        return inbox.path(key) if same else None

    def _enter(self, message: Message) -> None:
        """Tell the history of a message that came into the dead-letter queue while nobody was there to see it."""
        last = {version: self.history.of(*version) for version in message.versions}
        unended = {version: run for version, run in last.items() if run is None or run.outcome not in FINAL}
        for of_one_run in {run.id if run else 0: run for run in unended.values()}.values():
            about = [version for version, run in unended.items() if run == of_one_run]
            record = new_record("failed", "", message_id=message.id, inputs=self._inputs(about))
            if of_one_run:
                record = {**of_one_run.record, "status": "failed", "reason": None, "message_id": message.id}
            record["error"] = _unanswered(record)
            self.history.enter(record, about, "dead-lettered", message.attempts)

    def _inputs(self, versions: Iterable[Version]) -> list[Input]:
        bucket = self.template.source_bucket
        return [{"bucket": bucket, "key": key, "size": None, "etag": etag} for key, etag in versions if key]


def _unanswered(record: RunRecord) -> Failure:
    before = record["error"]
    text = "Its last attempt came to no answer, because the poller or the Lambda ended meanwhile."
    if before:
        return {**before, "message": f"{text} The one before: {before['message']}"}
    return {"type": "NoAnswer", "message": f"{text} `runner retry` tries it again.", "phase": "invoke", "traceback": ""}


@contextmanager
def opened(settings: Settings, template: StackTemplate, endpoint_url: str | None) -> Iterator[Books]:
    """The books of a data folder for the body; without an endpoint only what is known without a stack."""
    ledger, history = Ledger(settings.state), History(settings.state)
    try:
        backend = Backend.at(endpoint_url, template) if endpoint_url else None
        yield Books(settings, template, ledger, history, backend)
    finally:
        ledger.close()
        history.close()
