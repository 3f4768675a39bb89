from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner, Result

from runner.cli import reconcile
from runner.cli.app import app
from runner.messages.run_summary import short_id
from runner.services.reconciler.repair import Reconciler
from tests.support.memory_aws import MemoryAws
from tests.support.states import ETAG, put, run_of, twin_runs


def run(reconciler: Reconciler, *options: str) -> Result:
    """Reconcile while no stack runs."""
    return CliRunner().invoke(app, ["reconcile", "--data", str(reconciler.settings.data), *options])


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "_LOOK_AGAIN_S", 0.0)


def test_without_problems_the_counts_are_printed(reconciler: Reconciler):
    assert run(reconciler).stdout.endswith("0 unaccounted for; no file yet\n")
    reconciler.state.runs.add(run_of("a.csv", "1", "skipped", reason="no route"), "skipped")
    put(reconciler, "b.csv", epoch="lost")
    done = run(reconciler)
    assert done.exit_code == 0
    assert done.stdout.endswith("0 unaccounted for; 1 skipped, 1 in progress\n")
    assert "No stack runs on this folder. Files in progress resume at the next `runner up`." in done.output


def test_an_unaccounted_version_is_printed_and_recorded(reconciler: Reconciler):
    reconciler.state.versions.add_uploaded(("gone.csv", "1"))
    problem = "is neither in the source bucket nor in the inbox any more"
    done = run(reconciler)
    assert done.exit_code == 1
    assert f"✗ {short_id(('gone.csv', '1'))} gone.csv {problem}\n1 unaccounted for; no file yet\n" in done.stdout
    assert reconciler.state.versions.unaccounted() == {("gone.csv", "1", ""): problem}
    done = run(reconciler, "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {
        "unaccounted": [{"key": "gone.csv", "etag": "1", "pipeline": None, "problem": problem}],
        "replaced": [],
        "accounted": dict.fromkeys(
            ("succeeded", "replaced", "skipped", "dead-lettered", "forgotten", "in progress", "refused"), 0
        ),
    }  # fmt: skip


def test_what_is_still_in_progress_after_the_wait_is_unaccounted_for(reconciler: Reconciler):
    put(reconciler, "b.csv", epoch="lost")
    done = run(reconciler, "--wait", "0.3", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["unaccounted"] == [
        {"key": "b.csv", "etag": ETAG, "pipeline": None, "problem": "is still in progress after 0.3 s"}
    ]


def test_only_what_two_looks_report_is_repaired(
    reconciler: Reconciler, aws: MemoryAws, monkeypatch: pytest.MonkeyPatch
):
    put(reconciler, "stays.csv")
    put(reconciler, "arrives.csv")
    arriving = [("arrives.csv", b"x")]

    def arrive(_seconds: float) -> None:
        while arriving:
            aws.put_object(aws.template.source_bucket, *arriving.pop())

    monkeypatch.setattr("runner.cli.reconcile.time.sleep", arrive)
    summary = reconcile._looked(reconciler)
    assert [finding.key for finding in summary.repaired] == ["stays.csv"]
    assert sorted(finding.key for finding in summary.in_progress) == ["arrives.csv", "stays.csv"]
    assert len(aws.queue) == 2


def test_a_problem_that_goes_away_is_not_reported(reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch):
    version = ("gone.csv", "1")
    reconciler.state.versions.add_uploaded(version)

    def forget(_seconds: float) -> None:
        reconciler.state.versions.set_outcome(version, "forgotten", "forgotten: a test")

    monkeypatch.setattr("runner.cli.reconcile.time.sleep", forget)
    summary = reconcile._looked(reconciler)
    assert (summary.unaccounted, summary.counts()["forgotten"]) == ([], 1)


def test_each_pipeline_of_a_file_is_accounted_for(reconciler: Reconciler):
    for of_pipeline in twin_runs("k.csv", "1", {"a": "succeeded", "b": "failed"}):
        reconciler.state.runs.add(of_pipeline, of_pipeline["status"])
    done = run(reconciler)
    problem = "is neither in the source bucket nor in the inbox any more; its last run failed: ValueError"
    assert f"✗ {short_id(('k.csv', '1'))} k.csv → b {problem}" in done.stdout
    assert done.stdout.endswith("1 unaccounted for; 1 succeeded\n")


def test_a_file_whose_output_another_one_replaced_is_named(reconciler: Reconciler):
    reason = "Its output x.nc was replaced by that of late.csv."
    for number in range(21):
        reconciler.state.versions.set_outcome((f"{number:02}.csv", "1"), "replaced", reason)
    done = run(reconciler)
    assert done.exit_code == 0
    assert f"– {short_id(('00.csv', '1'))} 00.csv replaced. {reason}\n" in done.stdout
    assert "20.csv" not in done.stdout
    assert "More were replaced: `runner status --outcome replaced --all`." in done.output
    assert done.stdout.endswith("0 unaccounted for; 21 replaced\n")
    assert json.loads(run(reconciler, "--json").stdout)["replaced"][0] == {
        "key": "00.csv", "etag": "1", "reason": reason,
    }  # fmt: skip
