from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

from runner.services.reconciler.classify import Facts, Summary, classify
from runner.services.reconciler.repair import Reconciler
from runner.services.reconciler.snapshot import Snapshot, finding_of
from runner.state.uploads import Upload
from runner.state.versions import KnownVersion
from tests.support.memory_aws import MemoryAws, StoredObject
from tests.support.states import ETAG, put, run_of

FILES = 2000


def facts_of(reconciler: Reconciler, key: str) -> dict[str, Facts]:
    """Return the facts of each version of a key, by ETag."""
    return {facts.etag: facts for facts in reconciler.snapshot().all() if facts.key == key}


def test_each_source_adds_its_facts(reconciler: Reconciler, aws: MemoryAws):
    put(reconciler, "k")
    (facts,) = facts_of(reconciler, "k").values()
    assert facts == Facts("k", ETAG, outcome="uploaded", is_in_inbox=True)
    aws.put_object(aws.template.source_bucket, "k", b"x")
    (facts,) = facts_of(reconciler, "k").values()
    assert facts == Facts("k", ETAG, outcome="uploaded", is_in_inbox=True, is_in_bucket=True, is_queued=True)
    aws.queues[aws.template.dead_letter_queue_name] = aws.queues[aws.template.queue_name]
    aws.queues[aws.template.queue_name] = []
    (facts,) = facts_of(reconciler, "k").values()
    assert (facts.is_queued, facts.is_dead) == (False, True)
    aws.restart()
    (facts,) = facts_of(reconciler, "k").values()
    assert facts == Facts("k", ETAG, outcome="uploaded", is_in_inbox=True, is_lost=True)


def test_a_changed_file_is_not_uploaded_and_replaces_its_version(reconciler: Reconciler):
    put(reconciler, "k").write_bytes(b"longer")
    new, old = (facts_of(reconciler, "k")[etag] for etag in ("", ETAG))
    assert new == Facts("k", is_uploaded=False)
    assert (old.is_in_inbox, old.is_replaced) == (False, True)


def test_an_object_in_the_bucket_replaces_other_versions(reconciler: Reconciler, aws: MemoryAws):
    put(reconciler, "k").unlink()
    aws.put_object(aws.template.source_bucket, "k", b"other")
    other = StoredObject(b"other", {}).etag
    assert {etag: facts.is_replaced for etag, facts in facts_of(reconciler, "k").items()} == {ETAG: True, other: False}


def test_an_output_that_is_not_in_the_folder_is_missing(reconciler: Reconciler):
    put(reconciler, "k")
    outputs = [{"bucket": "o", "key": key, "size": 1} for key in ("x.nc", "y.nc")]
    reconciler.state.runs.add(run_of("k", ETAG, outputs=outputs), "succeeded")
    reconciler.settings.outputs.mkdir()
    (reconciler.settings.outputs / "x.nc").touch()
    assert facts_of(reconciler, "k")[ETAG].missing_output == "y.nc"
    (reconciler.settings.outputs / "y.nc").touch()
    assert facts_of(reconciler, "k")[ETAG].missing_output is None


def test_the_notification_filter_excludes_keys(reconciler: Reconciler):
    put(reconciler, "k.txt")
    reconciler.template = replace(reconciler.template, filter_suffix=".csv")
    assert facts_of(reconciler, "k.txt")[ETAG].filtered


def test_open_versions_are_classified_as_among_all(reconciler: Reconciler, aws: MemoryAws):
    """Also a key whose earlier version never ran: its present version has succeeded."""
    reconciler.state.versions.add_uploaded(("k", "never ran"))
    put(reconciler, "k")
    put(reconciler, "failed")
    put(reconciler, "final")
    for key in ("k", "failed", "final"):
        aws.put_object(aws.template.source_bucket, key, b"x")
    aws.queues[aws.template.queue_name] = []
    reconciler.state.runs.add(run_of("k", ETAG), "succeeded")
    reconciler.state.runs.add(run_of("failed", ETAG, "failed"), "failed")
    reconciler.state.runs.add(run_of("final", ETAG), "succeeded")
    snapshot = reconciler.snapshot()
    found = {finding.version: finding for finding in map(classify, snapshot.open())}
    assert {version: finding.state for version, finding in found.items()} == {
        ("k", "never ran"): "skipped", ("k", ETAG): "succeeded", ("failed", ETAG): "unaccounted",
    }  # fmt: skip
    complete = {finding.version: finding for finding in map(classify, snapshot.all())}
    assert found.items() <= complete.items()


def test_a_snapshot_of_many_files_keeps_few_in_memory(reconciler: Reconciler):
    state = reconciler.state
    for number in range(FILES):
        key = f"{number:05}.csv"
        state.uploads.put(Upload(key, 1, 1, 1, "sha256", f"e{number}", "epoch", float(number)))
        state.runs.add(run_of(key, f"e{number}", "skipped", reason="no route" * 100), "skipped")
    summary = Summary()
    tracemalloc.start()
    for facts in Snapshot(reconciler.settings, reconciler.template, state, None).all():
        summary.add(classify(facts))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert summary.counts()["skipped"] == FILES
    assert peak_bytes / FILES < 200


def test_the_state_alone_gives_the_current_state_of_a_version(reconciler: Reconciler, tmp_path: Path):
    known = KnownVersion("k", "1", "", 1, 1, "failed", "E", 1, "p", 1)
    for problem, state, reason in ((None, "in progress", "E"), ("is lost", "unaccounted", "is lost")):
        found = finding_of(known, None, tmp_path, problem)
        assert (found.state, found.reason) == (state, reason)
    run_id = reconciler.state.runs.add(
        run_of("k", "1", outputs=[{"bucket": "o", "key": "x.nc", "size": 1}]), "succeeded"
    )
    current, run = reconciler.state.versions.current("k"), reconciler.state.runs.get(run_id)
    assert current
    found = finding_of(current, run, tmp_path, "an earlier problem")
    assert (found.state, found.reason) == ("unaccounted", "succeeded, but its output x.nc is gone")
    (tmp_path / "x.nc").touch()
    assert finding_of(current, run, tmp_path, None).state == "succeeded"
