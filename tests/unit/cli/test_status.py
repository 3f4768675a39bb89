from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from runner.cli.app import app
from runner.services.reconciler.repair import Reconciler
from tests.support.states import ETAG, put, run_of, twin_runs

OUTPUT = {"bucket": "o", "key": "x.nc", "size": 1}


def status(reconciler: Reconciler, *options: str) -> Result:
    return CliRunner().invoke(app, ["status", "--data", str(reconciler.settings.data), *options])


def rows(reconciler: Reconciler, *options: str) -> list[Any]:
    done = status(reconciler, "--json", *options)
    assert done.exit_code == 0, done.output
    return list(json.loads(done.stdout))


@pytest.fixture
def filled(reconciler: Reconciler) -> Reconciler:
    """One file in each state."""
    state, settings = reconciler.state, reconciler.settings
    settings.outputs.mkdir()
    (settings.outputs / "x.nc").touch()
    state.runs.add(run_of("ok.csv", "1", outputs=[OUTPUT]), "succeeded")
    state.runs.add(run_of("gone.csv", "1", outputs=[{**OUTPUT, "key": "y.nc"}]), "succeeded")
    state.runs.add(run_of("no.csv", "1", "skipped", pipeline=None, reason="no route matches"), "skipped")
    state.runs.add(run_of("bad.csv", "1", "failed"), "dead-lettered", 3)
    state.runs.add(run_of("tried.csv", "1", "failed"), "failed", 2)
    state.runs.add(run_of("test.csv", "1", "failed"), "dead-lettered", 3)
    state.versions.set_outcome(("test.csv", "1"), "forgotten", "forgotten: a test")
    state.versions.add_uploaded(("lost.csv", "1"))
    state.versions.set_unaccounted({("lost.csv", "1", ""): "is lost"})
    put(reconciler, "waits.csv")
    (settings.inbox / "new.csv").touch()
    (settings.inbox / "bad\x01name").touch()
    return reconciler


def test_each_file_has_its_state_and_a_text(filled: Reconciler):
    found = {row["file"]: (row["outcome"], row["text"]) for row in rows(filled)}
    assert found == {
        "ok.csv": ("succeeded", "1 nc in 1.00 s"),
        "gone.csv": ("unaccounted", "succeeded, but its output y.nc is gone"),
        "no.csv": ("skipped", "no route matches"),
        "bad.csv": ("dead-lettered", "ValueError in phase process: no such column (tried 3 times)"),
        "tried.csv": ("in progress", "ValueError in phase process: no such column (tried 2 times)"),
        "test.csv": ("forgotten", "forgotten: a test"),
        "lost.csv": ("unaccounted", "is lost"),
        "waits.csv": ("in progress", "uploaded, not yet run"),
        "new.csv": ("in progress", "not yet uploaded"),
        "bad\\x01name": (
            "refused", "its name contains the character '\\x01', which S3 cannot list. Rename it.",
        ),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "files"),
    [
        (["--outcome", "succeeded"], ["ok.csv"]),
        (["--outcome", "unaccounted"], ["lost.csv", "gone.csv"]),
        (["--outcome", "in progress"], ["new.csv", "waits.csv", "tried.csv"]),
        (["--outcome", "refused"], ["bad\\x01name"]),
        (["--outcome", "skipped", "--outcome", "forgotten"], ["test.csv", "no.csv"]),
        (["bad"], ["bad\\x01name", "bad.csv"]),
        (["csv", "--pipeline", "p", "-n", "2"], ["test.csv", "tried.csv"]),
        (["--pipeline", "unknown"], []),
        (["-n", "1"], ["bad\\x01name"]),
    ],
)
def test_files_are_filtered(filled: Reconciler, options: list[str], files: list[str]):
    assert [row["file"] for row in rows(filled, *options)] == files


def test_a_page_continues_before_the_last_change_of_the_page_before(filled: Reconciler):
    first = rows(filled, "-n", "4")
    assert [row["file"] for row in first] == ["bad\\x01name", "new.csv", "waits.csv", "lost.csv"]
    second = rows(filled, "-n", "3", "--before", str(first[-1]["change"]))
    assert [row["file"] for row in second] == ["test.csv", "tried.csv", "bad.csv"]


def test_only_the_current_version_of_a_file_is_shown(reconciler: Reconciler):
    reconciler.state.runs.add(run_of("k.csv", "old", "failed"), "dead-lettered", 3)
    put(reconciler, "k.csv")
    reconciler.state.runs.add(run_of("k.csv", ETAG), "succeeded")
    reconciler.state.versions.set_outcome(("k.csv", "old"), "forgotten", "forgotten: replaced")
    assert [(row["file"], row["outcome"]) for row in rows(reconciler)] == [("k.csv", "succeeded")]


def test_the_window_of_a_schedule_is_a_row(reconciler: Reconciler):
    window = {"begin": "2020-12-01", "end": "2020-12-02"}
    run = run_of("k.csv", "1", "failed", inputs=[], schedule="hourly", window=window)
    reconciler.state.runs.add(run, "dead-lettered", 3, "md5")
    assert [row["file"] for row in rows(reconciler)] == ["hourly 2020-12-01 to 2020-12-02"]


def test_a_table_says_how_to_see_more(filled: Reconciler):
    text = status(filled, "-n", "2").stdout
    assert "new.csv" in text
    assert "The newest 2 files. More: `runner status --all`, or a NAME, --outcome, --pipeline." in text
    assert "More:" not in status(filled, "--all").stdout


def test_an_empty_answer_says_why(reconciler: Reconciler):
    inbox = reconciler.settings.inbox
    assert status(reconciler).stdout == f"No file in {inbox} yet. `runner up`, then drop one there.\n"
    assert status(reconciler, "name").stdout == "No file matches.\n"
    assert rows(reconciler) == []


def test_an_unknown_outcome_is_refused(reconciler: Reconciler):
    done = status(reconciler, "--outcome", "done")
    assert done.exit_code == 2
    assert "'done' is not an outcome. Use one of: succeeded, replaced," in " ".join(done.output.split())


def test_each_pipeline_of_a_file_is_a_row(reconciler: Reconciler):
    for run in twin_runs("k.csv", "1", {"a": "succeeded", "b": "failed"}):
        reconciler.state.runs.add(run, "succeeded" if run["status"] == "succeeded" else "dead-lettered", 3)
    found = [(row["file"], row["outcome"], row["pipeline"]) for row in rows(reconciler)]
    assert found == [("k.csv → b", "dead-lettered", "b"), ("k.csv → a", "succeeded", "a")]
    assert [row["file"] for row in rows(reconciler, "--pipeline", "a")] == ["k.csv → a"]
