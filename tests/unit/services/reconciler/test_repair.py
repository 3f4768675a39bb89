from __future__ import annotations

import json
from dataclasses import replace

import pytest

from runner.messages.run_record import OPEN, OUTPUT_MISSING, new_record
from runner.messages.s3_events import object_created
from runner.services.reconciler.classify import Finding, classify
from runner.services.reconciler.failures import dead_lettered
from runner.services.reconciler.loop import ReconcileLoop
from runner.services.reconciler.repair import Reconciler
from tests.support.memory_aws import MemoryAws, Queued
from tests.support.states import ETAG, put, run_of, twin_runs

NO_ANSWER = "Its last attempt returned no answer, because a process of the stack was killed."


def look(reconciler: Reconciler) -> dict[str, Finding]:
    return {finding.key: finding for finding in map(classify, reconciler.snapshot().all())}


def add_dead_letter(aws: MemoryAws, body: str) -> None:
    aws.queues[aws.template.dead_letter_queue_name].append(Queued("m", body, 3))


def test_an_object_gets_a_new_message_and_a_lost_file_a_new_upload(reconciler: Reconciler, aws: MemoryAws):
    put(reconciler, "object")
    aws.sends_events = False
    aws.put_object(aws.template.source_bucket, "object", b"x")
    aws.sends_events = True
    put(reconciler, "file")
    found = look(reconciler)
    assert reconciler.repair(found.values()) == list(found.values())
    assert {finding.state for finding in look(reconciler).values()} == {"in progress"}
    assert aws.buckets[aws.template.source_bucket].keys() == {"object", "file"}


def test_a_version_that_is_gone_cannot_be_repaired(reconciler: Reconciler):
    put(reconciler, "k").write_bytes(b"changed")
    assert not reconciler.requeue(("k", ETAG, ""))
    assert not reconciler.requeue(("", "md5", ""))
    reconciler.backend = None
    put(reconciler, "k")
    assert not reconciler.requeue(("k", ETAG, ""))


def test_an_unrecorded_dead_letter_is_recorded_with_the_attempt_before(reconciler: Reconciler, aws: MemoryAws):
    reconciler.state.runs.add(run_of("k", "1", "failed"), "failed", 2)
    reconciler.state.runs.add(run_of("final", "1"), "succeeded")
    bucket = aws.template.source_bucket
    records = [*object_created(bucket, "k", "1")["Records"], *object_created(bucket, "final", "1")["Records"]]
    add_dead_letter(aws, json.dumps({"Records": records}))
    add_dead_letter(aws, json.dumps(object_created(bucket, "never ran", "2")))
    repaired = reconciler.repair(look(reconciler).values())
    assert [finding.key for finding in repaired] == ["k", "never ran"]
    run = reconciler.state.runs.of(("k", "1"))
    assert run
    assert (run.outcome, run.attempt, run.record["pipeline"]) == ("dead-lettered", 3, "p")
    error = run.record["error"]
    assert error
    assert error["message"] == f"{NO_ANSWER} The attempt before: no such column\nin the file"
    run = reconciler.state.runs.of(("never ran", "2"))
    assert run
    assert run.record["error"] == {
        "type": "NoAnswer", "message": f"{NO_ANSWER} `runner retry` runs it again.", "phase": "invoke",
        "traceback": "",
    }  # fmt: skip
    assert reconciler.state.versions.outcome(("final", "1")) == "succeeded"


def test_a_dead_letter_of_two_files_is_recorded_as_one_failure(reconciler: Reconciler, aws: MemoryAws):
    bucket = aws.template.source_bucket
    records = [object_created(bucket, key, "1")["Records"][0] for key in ("a", "b")]
    add_dead_letter(aws, json.dumps({"Records": records}))
    assert len(reconciler.repair(look(reconciler).values())) == 2
    (failure,) = dead_lettered(reconciler.state)
    assert sorted(failure.versions) == [("a", "1"), ("b", "1")]


def test_a_dead_letter_is_recorded_for_each_pipeline_that_has_no_outcome(reconciler: Reconciler, aws: MemoryAws):
    for run in twin_runs("k", "1", {"a": "succeeded", "b": "failed", "c": "failed"}):
        reconciler.state.runs.add(run, run["status"])
    add_dead_letter(aws, json.dumps(object_created(aws.template.source_bucket, "k", "1")))
    reconciler.repair(map(classify, reconciler.snapshot().all()))
    found = {known.config: known.outcome for known in reconciler.state.versions.of(("k", "1"))}
    assert found == {"a.yaml": "succeeded", "b.yaml": "dead-lettered", "c.yaml": "dead-lettered"}
    assert sorted(str(failure.pipeline) for failure in dead_lettered(reconciler.state)) == ["b", "c"]


def test_a_dead_letter_whose_outputs_could_not_be_copied_keeps_that_reason(reconciler: Reconciler, aws: MemoryAws):
    error = {"type": OUTPUT_MISSING, "message": "x.nc is gone", "phase": "copy", "traceback": ""}
    reconciler.state.runs.add(run_of("k", "1", "failed", error=error), "failed", 3)
    add_dead_letter(aws, json.dumps(object_created(aws.template.source_bucket, "k", "1")))
    reconciler.repair(look(reconciler).values())
    run = reconciler.state.runs.of(("k", "1"))
    assert run
    assert (run.outcome, run.record["error"]) == ("dead-lettered", error)


def test_a_dead_letter_of_a_schedule_keeps_schedule_and_window(reconciler: Reconciler, aws: MemoryAws):
    add_dead_letter(aws, "not an event")
    body_md5 = Queued("m", "not an event").raw()["MD5OfBody"]
    window = {"begin": "b", "end": "e"}
    before = new_record("failed", "r", schedule="s", window=window, error=run_of("k", "1", "failed")["error"])
    reconciler.state.runs.add(before, "failed", 2, body_md5)
    reconciler.repair(look(reconciler).values())
    run = reconciler.state.runs.of(("", body_md5))
    assert run
    assert (run.outcome, run.record["schedule"], run.record["window"]) == ("dead-lettered", "s", window)


def test_the_loop_repairs_what_two_looks_report(reconciler: Reconciler, aws: MemoryAws):
    put(reconciler, "k")
    loop = ReconcileLoop(reconciler.settings, reconciler.template)
    loop._look(reconciler)
    assert aws.queue == []
    loop._look(reconciler)
    assert len(aws.queue) == 1
    loop._look(reconciler)
    assert len(aws.queue) == 1


def test_an_event_lost_while_nothing_else_happens_is_found_at_the_next_look(
    reconciler: Reconciler, aws: MemoryAws, monkeypatch: pytest.MonkeyPatch
):
    loop = ReconcileLoop(reconciler.settings, reconciler.template)
    loop._check(reconciler)
    put(reconciler, "k")
    aws.sends_events = False
    aws.put_object(aws.template.source_bucket, "k", b"x")
    for _ in range(3):
        loop._check(reconciler)
    assert aws.queue == []  # no look is due, because no queue has changed
    monkeypatch.setattr("runner.services.reconciler.loop._LOOK_INTERVAL_S", 0.0)
    loop._look_at = 0.0
    for _ in range(2):  # the second one confirms it
        loop._check(reconciler)
    assert len(aws.queue) == 1


def test_the_loop_closes_what_was_replaced_before_it_ran(reconciler: Reconciler, aws: MemoryAws):
    reconciler.state.versions.add_uploaded(("k", "old"))
    put(reconciler, "k")
    aws.put_object(aws.template.source_bucket, "k", b"x")
    loop = ReconcileLoop(reconciler.settings, reconciler.template)
    for _ in range(2):
        loop._look(reconciler)
    closed = reconciler.state.versions.get(("k", "old"))
    assert closed
    assert (closed.outcome, closed.reason) == ("skipped", "A newer version replaced it before it ran.")
    current = reconciler.state.versions.current("k")
    assert current
    assert current.etag == ETAG
    assert [known.version for known in reconciler.state.versions.with_outcome(*OPEN)] == [("k", ETAG)]


def test_a_file_that_the_filter_excludes_costs_no_request(
    reconciler: Reconciler, aws: MemoryAws, monkeypatch: pytest.MonkeyPatch
):
    reconciler.template = replace(reconciler.template, filter_suffix=".csv")
    put(reconciler, "k.txt")
    aws.put_object(aws.template.source_bucket, "k.txt", b"x")
    monkeypatch.setattr(aws, "head_object", None)
    assert [classify(facts).state for facts in reconciler.snapshot().open()] == ["in progress"]  # it has a message
    aws.queue.clear()
    assert [classify(facts).state for facts in reconciler.snapshot().open()] == ["skipped"]


def test_the_loop_records_what_it_cannot_repair_until_it_has_an_outcome(reconciler: Reconciler):
    version = ("gone", "1")
    reconciler.state.versions.add_uploaded(version)
    loop = ReconcileLoop(reconciler.settings, reconciler.template)
    recorded = []
    for _ in range(4):
        loop._look(reconciler)
        recorded.append([job[:2] for job in reconciler.state.versions.unaccounted()])
    assert recorded == [[], [version], [version], [version]]
    for outcome in ("retried", "uploaded"):  # a retry that failed
        reconciler.state.versions.set_outcome(version, outcome, "")  # type: ignore[arg-type]
    loop._look(reconciler)
    loop._look(reconciler)
    assert [job[:2] for job in reconciler.state.versions.unaccounted()] == [version]
    reconciler.state.versions.set_outcome(version, "forgotten", "forgotten: a test")
    loop._look(reconciler)
    assert reconciler.state.versions.unaccounted() == {}
