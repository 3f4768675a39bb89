from __future__ import annotations

import json
from typing import Any

from typer.testing import CliRunner

from runner.cli.app import app
from runner.messages.run_summary import short_id
from runner.services.reconciler.failures import dead_lettered
from runner.services.reconciler.repair import Reconciler
from tests.support.states import item, run_of


def failures(reconciler: Reconciler, *options: str) -> str:
    return CliRunner().invoke(app, ["failures", "--data", str(reconciler.settings.data), *options]).stdout


def as_json(reconciler: Reconciler) -> list[Any]:
    return list(json.loads(failures(reconciler, "--json")))


def fail(reconciler: Reconciler, *keys: str) -> None:
    for key in keys:
        reconciler.state.runs.add(run_of(key, "1", "failed"), "dead-lettered", 3)


def test_a_failure_is_a_version_whose_latest_outcome_is_dead_lettered(reconciler: Reconciler):
    fail(reconciler, "a.csv", "b.csv", "c.csv", "d.csv")
    reconciler.state.versions.set_outcome(("b.csv", "1"), "retried", "retried by a person")
    reconciler.state.runs.add(run_of("c.csv", "1"), "succeeded")
    reconciler.state.runs.add(run_of("e.csv", "1", "failed"), "failed")
    assert [failure.versions for failure in dead_lettered(reconciler.state)] == [[("d.csv", "1")], [("a.csv", "1")]]


def test_versions_that_one_run_decided_are_one_failure_with_the_id_of_the_named_one(reconciler: Reconciler):
    run = run_of("k.csv", "1", "failed", inputs=[item("k.csv", "new", named_etag="old")])
    reconciler.state.runs.add(run, "dead-lettered", 3)
    (failure,) = dead_lettered(reconciler.state)
    assert failure.versions == [("k.csv", "old"), ("k.csv", "new")]
    assert failure.id == short_id(("k.csv", "old"))


def test_json_has_all_fields_without_the_traceback(reconciler: Reconciler):
    reconciler.state.runs.add(run_of("a.csv", "1", "failed"), "failed", 1)
    fail(reconciler, "a.csv")
    (row,) = as_json(reconciler)
    assert row.pop("when")
    assert row == {
        "id": short_id(("a.csv", "1")), "file": "a.csv", "etag": "1", "pipeline": "p", "tried": 3, "replaced": False,
        "error": {"type": "ValueError", "message": "no such column\nin the file", "phase": "process"},
        "in_dead_letter_queue": None,
    }  # fmt: skip


def test_failures_of_earlier_messages_are_counted_too(reconciler: Reconciler):
    for _ in range(2):  # three attempts each; a retry begins with a new message
        for attempt, outcome in enumerate(("failed", "failed", "dead-lettered"), 1):
            reconciler.state.runs.add(run_of("a.csv", "1", "failed"), outcome, attempt)  # type: ignore[arg-type]
    assert [row["tried"] for row in as_json(reconciler)] == [6]


def test_a_failure_whose_newer_version_succeeded_is_marked(reconciler: Reconciler):
    fail(reconciler, "a.csv")
    reconciler.state.runs.add(run_of("a.csv", "2"), "succeeded")
    (row,) = as_json(reconciler)
    assert row["replaced"]
    note = f"(A newer version has succeeded since: `runner forget {row['id']} --why replaced`)"
    assert note in " ".join(failures(reconciler).split())


def test_only_the_newest_failures_are_shown_unless_all_are_wanted(reconciler: Reconciler):
    fail(reconciler, *(f"{number:02}.csv" for number in range(52)))
    text = failures(reconciler)
    assert ("01.csv" in text, "02.csv" in text) == (False, True)
    assert "Older failures are not shown: --all. Tracebacks: `runner logs NAME --failed`." in text
    assert "00.csv" in failures(reconciler, "--all")
    assert "not shown" not in failures(reconciler, "--all")
    assert len(as_json(reconciler)) == 52


def test_no_failures_are_reported(reconciler: Reconciler):
    assert failures(reconciler) == "No file has failed for good.\n"
    assert as_json(reconciler) == []
