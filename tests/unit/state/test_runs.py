from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from runner.messages.run_record import Outcome, new_record
from runner.state.database import State
from tests.support.states import item, run_of, twin_runs


def outcomes(state: State) -> dict[tuple[str, str], str]:
    return {known.version: known.outcome for known, _ in state.versions.each()}


def test_a_version_has_the_outcome_of_its_latest_run(state: State):
    assert state.runs.of(("k", "1")) is None
    state.runs.add(run_of("k", "1", "failed"), "failed", 1)
    run_id = state.runs.add(run_of("k", "1"), "succeeded", 2)
    state.runs.add(run_of("k", "2", "failed"), "dead-lettered", 3)
    assert outcomes(state) == {("k", "1"): "succeeded", ("k", "2"): "dead-lettered"}
    found = state.runs.of(("k", "1"))
    assert found
    assert (found.id, found.attempt, found.outcome) == (run_id, 2, "succeeded")
    assert found == state.runs.get(run_id)


def test_the_reason_is_that_of_the_record_or_its_error(state: State):
    state.runs.add(run_of("k", "1", "failed"), "failed")
    state.runs.add(run_of("k", "2", "skipped", reason="no route matches"), "skipped")
    state.runs.add(run_of("k", "3"), "succeeded")
    reasons = {known.etag: known.reason for known, _ in state.versions.each()}
    assert reasons == {"1": "ValueError in phase process: no such column", "2": "no route matches", "3": ""}


@pytest.mark.parametrize(
    ("status", "outcome", "of_named"),
    [
        ("succeeded", "succeeded", ("skipped", "Its run read a newer version of the object.")),
        ("skipped", "skipped", ("skipped", "no route matches")),
        ("failed", "failed", ("failed", "ValueError in phase process: no such column")),
        ("failed", "dead-lettered", ("dead-lettered", "ValueError in phase process: no such column")),
    ],
)
def test_a_run_that_read_a_newer_version_than_its_event_named_decides_both(
    state: State, status: Any, outcome: Outcome, of_named: tuple[str, str]
):
    state.versions.add_uploaded(("k", "old"))
    run = run_of("k", "new", status, reason="no route matches" if status == "skipped" else None)
    run["inputs"] = [item("k", "new", named_etag="old")]
    state.runs.add(run, outcome)
    named = state.versions.get(("k", "old"))
    assert named
    assert (named.outcome, named.reason) == of_named
    assert state.versions.outcome(("k", "new")) == outcome
    current = state.versions.current("k")
    assert current
    assert current.etag == "new"
    assert [known.etag for known in state.versions.newest()] == ["new"]


def test_a_run_is_recorded_completely_or_not_at_all(state: State):
    broken = run_of("k", "1")
    broken["inputs"].append({"bucket": "b"})  # type: ignore[typeddict-item]
    with pytest.raises(KeyError):
        state.runs.add(broken, "succeeded")
    unreadable = run_of("k", "1", reason=object())
    with pytest.raises(TypeError):
        state.runs.add(unreadable, "succeeded")
    bad_version = run_of("k", "1", inputs=[item("k", "1"), item("k", object())])  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        state.runs.add(bad_version, "succeeded")
    assert (list(state.runs.newest()), outcomes(state)) == ([], {})
    state.runs.add(run_of("k", "1"), "succeeded")
    assert outcomes(state) == {("k", "1"): "succeeded"}


def test_a_run_without_a_file_is_recorded_by_its_message(state: State):
    window = {"begin": "b", "end": "e"}
    state.runs.add(new_record("succeeded", "r", schedule="s", window=window), "succeeded", 1, "schedule")
    state.runs.add(new_record("failed", "r", message_id="m"), "dead-lettered", 3, "unknown event")
    state.runs.add(run_of("k", "1", "failed"), "failed", 1, "names a file")
    state.runs.add(new_record("skipped", "r", reason="a test event"), "skipped", 1, "asks for no run")
    assert outcomes(state) == {
        ("", "schedule"): "succeeded", ("", "unknown event"): "dead-lettered", ("k", "1"): "failed",
    }  # fmt: skip
    scheduled = new_record("failed", "r", schedule="s", window=window, inputs=[item("k", "2")])
    state.runs.add(scheduled, "failed", 1, "schedule")
    assert outcomes(state)["", "schedule"] == outcomes(state)["k", "2"] == "failed"


def test_runs_are_found_by_name_pipeline_outcome_and_message(state: State):
    assert state.runs.last_id() == 0
    first = state.runs.add(run_of("a/é.csv", "1", message_id="m", warnings=["w"]), "succeeded")
    second = state.runs.add(run_of("b/x.csv", "1", "failed", pipeline=None, message_id="m"), "failed", 2)
    third = state.runs.add(run_of("b/y.csv", "1", "skipped", pipeline="other", reason="no"), "skipped")
    for found, expected in (
        (state.runs.newest(), [third, second, first]),
        (state.runs.newest("é"), [first]),
        (state.runs.newest("b/", pipeline="p"), [second]),  # a Lambda that died does not name its pipeline
        (state.runs.newest(outcomes=["failed", "succeeded"]), [second, first]),
        (state.runs.newest("y", "other", ["succeeded"]), []),
        (state.runs.after(first), [second, third]),
        (state.runs.of_message("m"), [first, second]),
    ):
        assert [run.id for run in found] == expected
    assert state.runs.get(first).record["warnings"] == ["w"]
    assert state.runs.last_id() == third


def test_runs_are_read_one_at_a_time(state: State):
    for number in range(400):
        state.runs.add(run_of(f"k{number}", "1", warnings=["w" * 20_000]), "succeeded")
    tracemalloc.start()
    count = sum(1 for _ in state.runs.newest())
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 400
    assert peak_bytes < 1_000_000


def output(key: str, replaced_input: str = "") -> dict[str, Any]:
    return {"bucket": "o", "key": key, "size": 1} | ({"replaced_input": replaced_input} if replaced_input else {})


def test_an_input_whose_output_another_one_replaced_is_replaced_until_it_runs_again(state: State):
    state.runs.add(run_of("1.csv", "e", outputs=[output("x.nc"), output("x.png")]), "succeeded")
    state.runs.add(run_of("2.csv", "e", outputs=[output("x.nc", "1.csv"), output("x.png", "1.csv")]), "succeeded")
    first = state.versions.get(("1.csv", "e"))
    assert first
    assert (first.outcome, first.reason) == ("replaced", "Its output x.nc was replaced by that of 2.csv.")
    assert outcomes(state)["2.csv", "e"] == "succeeded"
    state.runs.add(run_of("1.csv", "e", outputs=[output("x.nc", "2.csv")]), "succeeded")
    assert outcomes(state) == {("1.csv", "e"): "succeeded", ("2.csv", "e"): "replaced"}
    state.runs.add(run_of("other.csv", "e", outputs=[output("y.nc")]), "succeeded")
    assert outcomes(state)["1.csv", "e"] == "succeeded"


def test_an_output_that_was_replaced_before_its_run_was_recorded_is_replaced(state: State):
    state.runs.add(run_of("2.csv", "e", outputs=[output("x.nc", "1.csv")]), "succeeded")
    state.runs.add(run_of("1.csv", "e", outputs=[output("x.nc")]), "succeeded")
    assert outcomes(state) == {("2.csv", "e"): "succeeded", ("1.csv", "e"): "replaced"}


def test_a_plot_or_another_output_that_was_replaced_is_no_loss(state: State):
    state.runs.add(run_of("1.csv", "e", outputs=[output("1.nc"), output("latest.png")]), "succeeded")
    state.runs.add(run_of("2.csv", "e", outputs=[output("2.nc", "1.csv"), output("latest.png", "1.csv")]), "succeeded")
    assert set(outcomes(state).values()) == {"succeeded"}


def test_an_output_of_one_pipeline_that_was_replaced_leaves_the_others(state: State):
    for run in twin_runs("1.csv", "e", {"a": "succeeded", "b": "succeeded"}):
        run["outputs"] = [output(f"{run['pipeline']}.nc")]  # type: ignore[list-item]
        state.runs.add(run, "succeeded")
    state.runs.add(run_of("2.csv", "e", outputs=[output("b.nc", "1.csv")]), "succeeded")
    assert {known.config: known.outcome for known in state.versions.of(("1.csv", "e"))} == {
        "a.yaml": "succeeded", "b.yaml": "replaced",
    }  # fmt: skip
