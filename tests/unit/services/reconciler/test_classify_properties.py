"""Whatever happens in whatever order, every version has exactly one state in each pipeline, and no file is lost.

Watcher, event source mapping, output mirror, reconciler, retry and forget are the real ones, called without threads of
their own. Only S3, SQS and the function are in memory, because they have to lose, repeat and fail on request.
"""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import wait
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from runner.aws import emulator_api
from runner.messages.run_record import RunRecord, Version, new_record
from runner.messages.s3_events import parse
from runner.services.event_source_mapping.poller import EventSourceMapping
from runner.services.event_source_mapping.rie_client import Answer
from runner.services.event_source_mapping.run_room import RunRoom
from runner.services.output_mirror import OutputMirror
from runner.services.reconciler import decisions
from runner.services.reconciler.backend import Backend
from runner.services.reconciler.classify import Finding, classify
from runner.services.reconciler.failures import dead_lettered, selected
from runner.services.reconciler.loop import ReconcileLoop
from runner.services.reconciler.repair import Reconciler
from runner.services.watcher.watcher import Watcher
from runner.settings import Settings
from runner.state.database import State
from runner.template.stack_template import load
from tests.support.memory_aws import Killed, MemoryAws, MemoryQueues, StoredObject

KEYS = st.sampled_from(["a.csv", "b/é.csv"])
CONTENTS = st.sampled_from([b"1", b"2", b"3"])
MOSTLY = st.sampled_from([True, True, True, False])
OUTCOMES = st.sampled_from(["succeeded", "succeeded", "failed", "failed", "skipped", "died"])
TWICE = "b/é.csv"  # two pipelines process it
TEMPLATE = replace(load(Path("template.yaml")), max_receive_count=2)  # dead letters come sooner
MOST_ROUNDS = 8


class FilesOfAFolder(RuleBasedStateMachine):
    """Files arrive, change, run, fail and get lost, while processes are killed."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.settings = replace(Settings.from_env({}), data=Path(self.folder.name), settle_s=0.0, polling=True)
        self.settings.inbox.mkdir()
        self.aws, self.clock = MemoryAws(TEMPLATE), 0
        self.aws.restart()
        self.client: Any = self.aws
        self.state = State(self.settings.state)
        self.mirror = OutputMirror(
            self.client, TEMPLATE.destination_bucket, self.settings.outputs, TEMPLATE.source_bucket
        )
        backend = Backend(self.client, MemoryQueues(self.aws), TEMPLATE)
        self.reconciler = Reconciler(self.settings, TEMPLATE, self.state, backend)
        self.loop = ReconcileLoop(self.settings, TEMPLATE)
        self.start_watcher()
        self.start_mapping()

    def start_watcher(self) -> None:
        self.watcher = Watcher(self.settings, self.client, TEMPLATE.source_bucket, self.state)

    def start_mapping(self) -> None:
        self.aws.release_leases()
        self.mapping = EventSourceMapping(
            self.client,
            TEMPLATE,
            [],
            self.settings.state,
            self.mirror,
            RunRoom(self.settings.state, self.settings.state),
        )

    # What people do.

    @rule(key=KEYS, content=CONTENTS)
    def drop(self, key: str, content: bytes) -> None:
        path = self.settings.inbox / key
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        self.touch(key)

    @rule(key=KEYS)
    def touch(self, key: str) -> None:
        """Give a file another state; its content stays."""
        self.clock += 1
        with suppress(FileNotFoundError):
            os.utime(self.settings.inbox / key, (self.clock, self.clock))

    @rule(key=KEYS)
    def delete_from_inbox(self, key: str) -> None:
        (self.settings.inbox / key).unlink(missing_ok=True)

    @precondition(lambda self: any(dead_lettered(self.state)))
    @rule(
        killed_before=st.sampled_from(["", "", "send_message", "delete_message", "put_object"]),
        pipeline=st.sampled_from([None, None, "p", "twin"]),
    )
    def retry_all(self, killed_before: str, pipeline: str | None = None) -> None:
        self.aws.kill_before = killed_before
        self.aws.release_leases()  # the command waits for what another one hides
        with suppress(Killed), mock.patch.object(decisions, "_MOVE_DELAY_S", 0.0):
            failures = selected(self.reconciler, None, pipeline)
            decisions.retry(self.reconciler, MemoryQueues(self.aws), failures, print)
        self.aws.kill_before = ""

    @precondition(lambda self: any(dead_lettered(self.state)))
    @rule(killed_before=st.sampled_from(["", "", "delete_message"]))
    def forget_all(self, killed_before: str) -> None:
        self.aws.kill_before = killed_before
        self.aws.release_leases()
        with suppress(Killed):
            decisions.forget(self.reconciler, list(dead_lettered(self.state)), "not needed")
        self.aws.kill_before = ""

    # What the stack does, and how far it gets.

    @rule(sends_events=MOSTLY, is_recorded=MOSTLY)
    def watch(self, sends_events: bool = True, is_recorded: bool = True) -> None:
        """Upload what is new; without `is_recorded` the watcher is killed before it records that."""
        watcher, self.aws.sends_events = self.watcher, sends_events
        watcher._check_bucket_at = 0.0
        with mock.patch.object(emulator_api, "answers", lambda _: True):
            watcher._check_bucket()
        watcher._scanner.restart()
        watcher._scan()
        watcher._start_uploads()
        wait(watcher._running.values())
        self.aws.sends_events = True
        if is_recorded:
            watcher._collect()
        else:
            self.start_watcher()

    @precondition(lambda self: self.aws.queue)
    @rule(outcome=OUTCOMES, of_twin=OUTCOMES, killed_before=st.sampled_from(["", "", "", "copy", "record", "delete"]))
    def run_one(self, outcome: str = "succeeded", killed_before: str = "", of_twin: str = "succeeded") -> None:
        """Receive a message, run the function, copy its outputs, record the run and delete the message."""
        batch = self.mapping._leases.receive(1)
        if not batch:
            return
        answer = self.function(batch[0], {"": outcome, "twin": of_twin})
        if killed_before == "copy":
            self.start_mapping()
            return
        self.aws.kill_before = "delete_message" if killed_before == "delete" else ""
        try:
            self.mapping._handle((batch, answer), self.state)
            if answer.payload and any(run["outputs"] for run in answer.payload["runs"]):
                copied = self.mapping._answers.get(timeout=10)
                if killed_before != "record":
                    self.mapping._handle(copied, self.state)
        except Killed:
            pass
        self.aws.kill_before = ""
        if killed_before:
            self.start_mapping()

    def function(self, message: dict[str, Any], outcomes: dict[str, str]) -> Answer:
        """Answer as the handler does, for one or two pipelines: a run reads the object that is in the bucket now."""
        event = parse(message["Body"])
        (named,) = event.objects
        found = self.aws.buckets[named.bucket].get(named.key)
        item: dict[str, Any] = {
            "bucket": named.bucket, "key": named.key, "size": 1, "etag": found.etag if found else named.etag,
        }  # fmt: skip
        if item["etag"] != named.etag:
            item["named_etag"] = named.etag
        if outcomes[""] == "died":
            return Answer("died", error="killed")
        pipelines = ["", "twin"] if named.key == TWICE else [""]
        runs = [
            self.run_of(name, outcomes[name] if found else "failed", item, message["MessageId"])
            for name in pipelines
            if event.config in (None, f"{name}.yaml")
        ]
        failures = [{"itemIdentifier": message["MessageId"]}] if any(run["error"] for run in runs) else []
        return Answer("answered", {"batchItemFailures": failures, "runs": runs})

    def run_of(self, name: str, outcome: str, item: dict[str, Any], message_id: str) -> RunRecord:
        fields: dict[str, Any] = {
            "message_id": message_id, "inputs": [item], "pipeline": name or "p", "config": f"{name}.yaml",
        }  # fmt: skip
        if outcome == "failed":
            error = {"type": "ValueError", "message": "wrong", "phase": "process", "traceback": ""}
            return new_record("failed", "r", error=error, **fields)
        if outcome == "skipped":
            return new_record("skipped", "r", reason="no route matches", **fields)
        bucket, key = TEMPLATE.destination_bucket, f"{item['key']}{name}.nc"
        self.aws.buckets[bucket][key] = self.aws.buckets[item["bucket"]][item["key"]]
        outputs = [{"bucket": bucket, "key": key, "size": 1}]
        return new_record("succeeded", "r", outputs=outputs, durations_s={"total": 0.1}, **fields)

    @rule()
    def reconcile(self) -> None:
        self.loop._look(self.reconciler)

    # What goes wrong.

    @rule()
    def restart_emulator(self) -> None:
        self.aws.restart()

    @precondition(lambda self: self.aws.queue)
    @rule()
    def lose_a_message(self) -> None:
        self.aws.queue.pop()

    @precondition(lambda self: self.aws.queue)
    @rule()
    def repeat_and_reorder_messages(self) -> None:
        messages = self.aws.queue[:3]
        self.aws.queue[:0] = [self.aws.copy_of(message) for message in reversed(messages)]

    # What is always true.

    def findings(self) -> list[Finding]:
        return [classify(facts) for facts in self.reconciler.snapshot().all()]

    def content(self, finding: Finding) -> bytes | None:
        """Return the file of the inbox if it has exactly a finding's version."""
        path = self.settings.inbox / finding.key
        content = path.read_bytes() if path.is_file() else b""
        return content if StoredObject(content, {}).etag == finding.etag else None

    @invariant()
    def every_version_has_one_state_in_each_pipeline(self) -> None:
        findings = {finding.job: finding for finding in self.findings()}
        assert len(findings) == len(self.findings())
        assert self.known_versions() <= {finding.version for finding in findings.values()}
        in_inbox = [key for key, _ in self.watcher._inbox.scan()]
        assert set(in_inbox) <= {finding.key for finding in findings.values()}
        for finding in map(classify, self.reconciler.snapshot().open()):
            assert findings[finding.job] == finding
        for finding in findings.values():
            if finding.state == "unaccounted":
                is_in_bucket = finding.version in self.in_bucket()
                assert finding.repair or not (is_in_bucket or self.content(finding)), finding
                assert "output" not in finding.reason  # a run is recorded when its outputs are in the folder

    def in_bucket(self) -> set[Version]:
        return {(key, one.etag) for key, one in self.aws.buckets[TEMPLATE.source_bucket].items()}

    def known_versions(self) -> set[Version]:
        assert self.reconciler.backend
        queues = self.reconciler.backend.queues
        queued = {version for message in queues.waiting() + queues.dead() for version in message.versions}
        uploaded = {(upload.key, upload.etag) for upload in self.state.uploads.each()}
        return queued | uploaded | self.in_bucket() | {known.version for known, _ in self.state.versions.each()}

    def teardown(self) -> None:
        try:
            self.everything_settles()
        finally:
            self.state.close()
            self.folder.cleanup()

    def everything_settles(self) -> None:
        """Left alone, every file that still exists ends with its outputs or a reason."""
        for _ in range(MOST_ROUNDS):
            self.aws.release_leases()
            self.mirror._restore_if_new(str(self.aws.epoch))
            self.watch()
            while self.aws.queue:
                self.run_one()
            self.reconcile()  # as the stack does, and then as the command, which looks at everything
            self.reconciler.repair([finding for finding in self.findings() if finding.state == "unaccounted"])
        for finding in self.findings():
            assert finding.state != "in progress", finding
            content = self.content(finding)
            if finding.state == "unaccounted":
                assert finding.version not in self.in_bucket(), finding
                assert content is None, finding
            elif finding.state == "succeeded" and content:
                name = finding.config.removesuffix(".yaml")
                assert (self.settings.outputs / f"{finding.key}{name}.nc").read_bytes() == content


FilesOfAFolder.TestCase.settings = hypothesis_settings(max_examples=120, stateful_step_count=30)
test_no_file_is_lost_and_no_version_has_two_states = FilesOfAFolder.TestCase

A = "a.csv"
Step = tuple[str, tuple[Any, ...]]
RUN, FAIL, RESTART = ("run_one", ()), ("run_one", ("failed",)), ("restart_emulator", ())


def arrive(content: bytes, *, is_recorded: bool = True) -> list[Step]:
    return [("drop", (A, content)), ("watch", (True, is_recorded))]


SCENARIOS: dict[str, list[Step]] = {
    "content returns and is lost before it runs": [
        *arrive(b"1"), RUN, *arrive(b"2"), RUN, *arrive(b"1"), RESTART,
    ],
    "content returns after other content whose upload was not recorded": [
        *arrive(b"1"), RUN, *arrive(b"2", is_recorded=False), RUN, RESTART, *arrive(b"1"),
    ],
    "a retry of what the emulator lost is killed before its upload": [
        *arrive(b"1"), FAIL, FAIL, RUN, RESTART, ("watch", ()), ("retry_all", ("put_object",)),
    ],
    "outputs are stored and lost before they are copied": [
        *arrive(b"1"), RUN, *arrive(b"2"), ("run_one", ("succeeded", "copy")), RESTART,
    ],
    "an earlier version was lost before it ran": [*arrive(b"1"), RESTART, *arrive(b"2"), RUN],
}  # fmt: skip


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_what_random_steps_rarely_do(scenario: str):
    machine = FilesOfAFolder()
    try:
        for name, arguments in SCENARIOS[scenario]:
            getattr(machine, name)(*arguments)
            machine.every_version_has_one_state_in_each_pipeline()
    finally:
        machine.teardown()
