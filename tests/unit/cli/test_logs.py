from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner, Result

from runner.cli.app import app
from runner.errors import SettingsError
from runner.services.reconciler.repair import Reconciler
from tests.support.states import run_of

OUTPUT = {"bucket": "o", "key": "x.nc", "size": 7}
PIPELINE = "tide_gauge"


def logs(reconciler: Reconciler, *options: str) -> Result:
    return CliRunner().invoke(app, ["logs", "--data", str(reconciler.settings.data), *options])


@pytest.fixture
def filled(reconciler: Reconciler) -> Reconciler:
    runs = reconciler.state.runs
    qc = {"rh": {"samples": 4, "flagged": {"missing": 1}}}
    runs.add(run_of("a.csv", "1", outputs=[OUTPUT], config="c.yaml", warnings=["odd"], qc=qc), "succeeded")
    runs.add(run_of("b.csv", "1", "failed", pipeline=PIPELINE), "failed", 1)
    runs.add(run_of("b.csv", "1", "failed", pipeline=PIPELINE), "dead-lettered", 2)
    runs.add(run_of("c.csv", "1", "skipped", pipeline=None, reason="no route matches"), "skipped")
    return reconciler


def test_runs_are_printed_oldest_first_with_all_that_is_known(filled: Reconciler):
    lines = logs(filled).stdout.splitlines()
    heads = [line[20:] for line in lines if not line.startswith(" ")]
    assert heads == [
        "✔ a.csv: succeeded, attempt 1", "✗ b.csv: failed, attempt 1", "✗ b.csv: dead-lettered, attempt 2",
        "– c.csv: skipped, attempt 1",
    ]  # fmt: skip
    assert lines[1:6] == [
        "  pipeline: c.yaml", "  output: x.nc (7 bytes)", "  qc: rh: of 4 samples 1 × missing", "  warning: odd",
        "  seconds: total 1.00",
    ]  # fmt: skip
    assert "  reason: no route matches" in lines


def test_an_error_that_an_earlier_attempt_had_is_printed_once(filled: Reconciler):
    text = logs(filled, "b.csv").stdout
    assert text.count("ValueError in phase process: no such column") == 1
    assert text.count("the same error as before") == 1
    assert text.count("next: ") == 1


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ([], [1, 2, 3, 4]),
        (["-n", "2"], [3, 4]),
        (["-n", "0"], []),
        (["--failed"], [2, 3]),
        (["a.csv"], [1]),
        (["--pipeline", PIPELINE], [2, 3]),
    ],
)
def test_runs_are_filtered(filled: Reconciler, options: list[str], ids: list[int]):
    found = [json.loads(line) for line in logs(filled, "--json", *options).stdout.splitlines()]
    assert [run["id"] for run in found] == ids


def test_json_has_the_complete_record(filled: Reconciler):
    (found,) = [json.loads(line) for line in logs(filled, "--json", "a.csv").stdout.splitlines()]
    ended_at = found.pop("ended_at")
    assert ended_at.endswith("+00:00")
    record = filled.state.runs.get(1).record
    assert found == {"id": 1, "outcome": "succeeded", "attempt": 1, **record}


def test_an_unknown_pipeline_is_refused(filled: Reconciler):
    error = logs(filled, "--pipeline", "unknown").exception
    assert isinstance(error, SettingsError)
    assert str(error).startswith("No pipeline is called 'unknown'. Pipelines: ")
