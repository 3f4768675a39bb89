from __future__ import annotations

from dataclasses import replace

from runner.services.reconciler.classify import STATES, Facts, Finding, Summary, classify

# In the inbox and in the bucket, and without an outcome.
STORED = Facts("k.csv", "1", is_in_inbox=True, is_in_bucket=True)
FAILED = replace(STORED, outcome="failed", reason="ValueError")
LOST = replace(STORED, outcome="uploaded", is_in_bucket=False, is_lost=True)
FILTER = "The notification filter in template.yaml excludes it."
NO_MESSAGE = "is in the source bucket without a message in the queue"
NO_OBJECT = "was uploaded and is not in the source bucket any more"
NOWHERE = "is neither in the source bucket nor in the inbox any more"
UNRECORDED = "is in the dead-letter queue without a recorded reason"

# By case: the facts, the state, the reason or problem, and the repair.
CASES = {
    "a name that S3 refuses": (Facts("caf?", refusal="not UTF-8"), "refused", "not UTF-8", None),
    "a file that was not uploaded": (Facts("k", is_uploaded=False), "in progress", "not yet uploaded", None),
    "a file without a notification": (Facts("k", is_uploaded=False, filtered=True), "skipped", FILTER, None),
    "an object without a notification": (replace(STORED, filtered=True), "skipped", FILTER, None),
    "an object with a message": (replace(STORED, is_queued=True), "in progress", "", None),
    "a failure with a message": (replace(FAILED, is_queued=True), "in progress", "ValueError", None),
    "a final version with another message": (
        replace(STORED, outcome="dead-lettered", reason="E", is_queued=True), "in progress", "E", None,
    ),
    "a succeeded version": (replace(STORED, outcome="succeeded"), "succeeded", "", None),
    "a skipped version": (replace(STORED, outcome="skipped", reason="no route"), "skipped", "no route", None),
    "a dead letter": (
        replace(STORED, outcome="dead-lettered", reason="E", is_dead=True), "dead-lettered", "E", None,
    ),
    "a dead letter of a lost queue": (
        replace(STORED, outcome="dead-lettered", reason="E"), "dead-lettered", "E", None,
    ),
    "a forgotten version": (
        replace(STORED, outcome="forgotten", reason="forgotten: a test"), "forgotten", "forgotten: a test", None,
    ),
    "a success without its output": (
        replace(STORED, outcome="succeeded", missing_output="x.nc"),
        "unaccounted", "succeeded, but its output x.nc is gone", None,
    ),
    "a replaced success without its output": (
        replace(STORED, outcome="succeeded", missing_output="x.nc", is_replaced=True), "succeeded", "", None,
    ),
    "an object that has just arrived": (replace(STORED, is_new=True), "in progress", "", None),
    "a success that has just arrived": (replace(STORED, is_new=True, outcome="succeeded"), "succeeded", "", None),
    "a dead letter without an outcome": (replace(STORED, is_dead=True), "unaccounted", UNRECORDED, "record"),
    "a dead letter whose last attempt was not recorded": (
        replace(FAILED, is_dead=True), "unaccounted", UNRECORDED, "record",
    ),
    "a retry that did not move its dead letter": (
        replace(STORED, outcome="retried", is_dead=True), "unaccounted", UNRECORDED, "record",
    ),
    "a replaced version that did not run": (
        replace(FAILED, is_in_inbox=False, is_in_bucket=False, is_replaced=True),
        "skipped", "A newer version replaced it before it ran.", "close",
    ),
    "a file that the emulator lost": (LOST, "in progress", "", None),
    "a failure that the emulator lost": (
        replace(LOST, outcome="failed", reason="E"), "in progress", "E", None,
    ),
    "a retry that the emulator lost": (
        replace(LOST, outcome="retried", reason="by a person"),
        "unaccounted", f"{NO_OBJECT}; its last run retried: by a person", "re-queue",
    ),
    "an object of the present bucket with an earlier upload": (
        replace(LOST, is_in_bucket=True), "unaccounted", NO_MESSAGE, "re-queue",
    ),
    "an object without a message": (STORED, "unaccounted", NO_MESSAGE, "re-queue"),
    "a failure without a message": (
        FAILED, "unaccounted", f"{NO_MESSAGE}; its last run failed: ValueError", "re-queue",
    ),
    "a file whose object is gone": (replace(STORED, is_in_bucket=False), "unaccounted", NO_OBJECT, "re-queue"),
    "a version that is gone": (
        replace(FAILED, is_in_inbox=False, is_in_bucket=False),
        "unaccounted", f"{NOWHERE}; its last run failed: ValueError", None,
    ),
    "a lost version that is not in the inbox": (
        replace(LOST, is_in_inbox=False), "unaccounted", NOWHERE, None,
    ),
    "a schedule's message that is gone": (
        Facts("", "md5", outcome="failed", reason="E"),
        "unaccounted", "its message named no file and is gone; its last run failed: E", None,
    ),
}  # fmt: skip


def test_each_case_has_a_state_a_reason_and_a_repair():
    for case, (facts, state, reason, repair) in CASES.items():
        found = classify(facts)
        assert (found.state, found.reason, found.repair) == (state, reason, repair), case
        assert found.version == facts.version


def test_a_summary_counts_final_states_and_keeps_the_others():
    summary = Summary()
    findings = [
        Finding("a", "1", state="succeeded"),
        Finding("b", "1", state="succeeded"),
        Finding("c", "1", state="skipped"),
    ]
    open_findings = [Finding("d", "1", state="in progress"), Finding("e", "1", state="unaccounted", reason="is lost")]
    for finding in findings + open_findings:
        summary.add(finding)
    assert (summary.in_progress, summary.unaccounted) == (open_findings[:1], open_findings[1:])
    assert summary.counts() == {**dict.fromkeys(STATES, 0), "succeeded": 2, "skipped": 1, "in progress": 1}
