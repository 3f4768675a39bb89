from __future__ import annotations

from itertools import islice
from typing import Any

from runner.messages.run_record import OPEN, Outcome
from runner.state.database import State
from tests.support.states import item, run_of, twin_runs


def test_an_upload_does_not_change_what_is_known(state: State):
    state.versions.add_uploaded(("k", "1"))
    assert state.versions.outcome(("k", "1")) == "uploaded"
    state.versions.set_outcome(("k", "1"), "skipped", "no route")
    before = state.versions.get(("k", "1"))
    state.versions.add_uploaded(("k", "1"))
    assert state.versions.get(("k", "1")) == before
    assert state.versions.get(("k", "2")) is None


def test_only_runs_that_failed_are_counted_as_failures(state: State):
    outcomes: list[Outcome] = ["failed", "failed", "dead-lettered", "skipped", "failed"]
    for attempt, outcome in enumerate(outcomes, 1):
        state.runs.add(run_of("k", "1", "skipped" if outcome == "skipped" else "failed"), outcome, attempt)
        state.versions.set_outcome(("k", "1"), "retried", "retried by a person")
    found = state.versions.get(("k", "1"))
    assert found
    assert (found.failures, found.pipeline, found.run_id) == (4, "p", 5)
    assert (found.outcome, found.reason) == ("retried", "retried by a person")


def current(state: State, key: str = "k") -> str:
    found = state.versions.current(key)
    assert found
    assert [known.etag for known in state.versions.newest(name=key)] == [found.etag]
    assert state.versions.of_key(key)[-1] == found
    return found.etag


def test_the_current_version_of_a_key_arrived_last_whatever_happens_to_older_ones(state: State):
    assert state.versions.current("k") is None
    for etag in ("1", "2"):
        state.versions.add_uploaded(("k", etag))
    state.versions.add_uploaded(("other", "3"))
    assert current(state) == "2"
    state.runs.add(run_of("k", "1", "failed"), "dead-lettered", 3)  # its last attempt was recorded late
    assert current(state) == "2"
    for outcome in ("retried", "forgotten"):
        state.versions.set_outcome(("k", "1"), outcome, "by a person")  # type: ignore[arg-type]
        assert current(state) == "2"


def test_content_that_returns_is_the_current_version_again(state: State):
    for etag in ("1", "2", "1"):
        state.versions.add_uploaded(("k", etag))
    assert current(state) == "1"
    for etag in ("1", "2", "1"):  # not by the watcher: a run that succeeds has read what is in the bucket
        state.runs.add(run_of("direct", etag), "succeeded")
        assert current(state, "direct") == etag


def test_a_replaced_version_that_is_known_late_is_not_the_current_one(state: State):
    state.versions.add_uploaded(("k", "new"))
    run = run_of("k", "new", inputs=[item("k", "new", named_etag="old")])
    state.runs.add(run, "succeeded")
    assert current(state) == "new"


def fill(state: State) -> None:
    """Record ten files; every third is skipped, every second key is in a folder."""
    for number in range(10):
        folder = "even" if number % 2 == 0 else "odd"
        state.versions.add_uploaded((f"{folder}/{number}", "old"))
        status = "skipped" if number % 3 == 0 else "succeeded"
        run = run_of(f"{folder}/{number}", "new", status, pipeline=folder, reason="no" if status == "skipped" else None)
        state.runs.add(run, status)


def names(state: State, **options: Any) -> list[str]:
    found = list(state.versions.newest(**options))
    assert {known.etag for known in found} <= {"new"}
    return [known.key.partition("/")[2] for known in found]


def test_the_newest_are_only_the_current_versions_latest_change_first(state: State):
    fill(state)
    assert names(state) == [*"9876543210"]
    assert names(state, outcomes=["skipped"]) == [*"9630"]
    assert names(state, outcomes=["uploaded"]) == []
    assert names(state, outcomes=["skipped", "succeeded"], pipeline="even") == [*"86420"]
    assert names(state, name="dd/") == [*"97531"]
    assert names(state, outcomes=["skipped"], pipeline="even", name="even") == [*"60"]


def test_pages_neither_repeat_nor_skip_a_file(state: State):
    fill(state)
    found, before = [], None
    while page := list(islice(state.versions.newest(before), 4)):
        found += [known.key for known in page]
        before = page[-1].change
        state.versions.add_uploaded((f"arrived later/{len(found)}", "1"))
    assert [key.partition("/")[2] for key in found] == [*"9876543210"]


def test_each_message_without_a_file_is_listed(state: State):
    for body_md5 in ("a", "b"):
        state.versions.set_outcome(("", body_md5), "failed", "E")
    assert [known.etag for known in state.versions.newest()] == ["b", "a"]


def test_versions_are_selected_by_outcome_and_by_change(state: State):
    fill(state)
    state.versions.set_outcome(("even/0", "new"), "forgotten", "forgotten: a test")
    assert [known.etag for known in state.versions.with_outcome(*OPEN)] == ["old"] * 10
    (forgotten,) = state.versions.with_outcome("forgotten")
    assert state.versions.changed_since(forgotten.change - 1) == [forgotten]
    assert state.versions.outcome(("even/0", "old")) in OPEN


def test_each_version_comes_with_the_outputs_of_its_latest_run(state: State):
    outputs = [{"bucket": "o", "key": f"{name}.nc", "size": 1} for name in ("x", "y")]
    state.runs.add(run_of("k", "2", outputs=outputs[:1]), "succeeded")
    state.runs.add(run_of("k", "2", outputs=outputs), "succeeded")
    state.versions.add_uploaded(("a", "1"))
    assert [(known.version, keys) for known, keys in state.versions.each()] == [
        (("a", "1"), []),
        (("k", "2"), ["x.nc", "y.nc"]),
    ]


def test_an_unaccounted_version_is_recorded_until_it_has_an_outcome_again(state: State):
    state.versions.set_unaccounted({("a", "1", ""): "is lost", ("b", "1", ""): "is lost"})
    state.versions.set_unaccounted({("b", "1", ""): "is lost", ("c", "1", ""): "is lost"})
    assert state.versions.unaccounted() == {("b", "1", ""): "is lost", ("c", "1", ""): "is lost"}
    state.versions.set_outcome(("c", "1"), "retried", "retried by a person")
    assert state.versions.unaccounted() == {("b", "1", ""): "is lost"}
    state.versions.set_unaccounted({})
    assert state.versions.unaccounted() == {}


def by_config(state: State, etag: str = "1") -> dict[str, str]:
    return {known.config: known.outcome for known in state.versions.of(("k", etag))}


def test_each_pipeline_has_its_own_outcome_and_the_version_has_the_worst(state: State):
    state.versions.add_uploaded(("k", "1"))
    assert by_config(state) == {"": "uploaded"}
    for run in twin_runs("k", "1", {"a": "succeeded", "b": "failed"}):
        state.runs.add(run, run["status"])
    assert by_config(state) == {"a.yaml": "succeeded", "b.yaml": "failed"}
    assert state.versions.outcome(("k", "1")) == "failed"
    (run,) = twin_runs("k", "1", {"b": "failed"})
    state.runs.add(run, "dead-lettered", 3)
    assert by_config(state) == {"a.yaml": "succeeded", "b.yaml": "dead-lettered"}
    assert state.versions.outcome(("k", "1")) == "dead-lettered"
    assert [(known.pipeline, known.failures) for known in state.versions.newest()] == [("b", 2), ("a", 0)]
    assert [known.pipeline for known in state.versions.newest(pipeline="a")] == ["a"]
    state.versions.set_outcome(("k", "1"), "retried", "by a person", "b.yaml")
    assert by_config(state) == {"a.yaml": "succeeded", "b.yaml": "retried"}


def test_a_run_that_does_not_name_its_pipeline_concerns_those_that_are_in_progress(state: State):
    for run in twin_runs("k", "1", {"a": "succeeded", "b": "failed", "c": "failed"}):
        state.runs.add(run, run["status"])
    state.runs.add(run_of("k", "1", "failed"), "dead-lettered", 3)
    assert by_config(state) == {"a.yaml": "succeeded", "b.yaml": "dead-lettered", "c.yaml": "dead-lettered"}
    state.runs.add(run_of("k", "1", "skipped", reason="no route matches"), "skipped")
    assert set(by_config(state).values()) == {"skipped"}


def test_the_pipelines_of_a_version_that_returns_are_current_together(state: State):
    for etag in ("1", "2"):
        for run in twin_runs("k", etag, {"a": "succeeded", "b": "succeeded"}):
            state.runs.add(run, "succeeded")
    assert {known.etag for known in state.versions.newest()} == {"2"}
    state.versions.add_uploaded(("k", "1"))
    found = list(state.versions.newest())
    assert [(known.etag, known.pipeline) for known in found] == [("1", "b"), ("1", "a")]
    assert len({known.change for known in found}) == 2  # a page can end between them
