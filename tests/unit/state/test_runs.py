import tracemalloc
from pathlib import Path

import pytest

from runner.messages.run_record import FINAL, Outcome, RunRecord, new_record
from runner.state.runs import History


def a_run(key: str, etag: str, **fields: object) -> RunRecord:
    return new_record("succeeded", "r", inputs=[{"bucket": "b", "key": key, "size": 1, "etag": etag}], **fields)


def test_the_outcome_of_an_object_is_that_of_its_latest_run(tmp_path: Path):
    history = History(tmp_path)
    assert history.outcome("k", "1") is None
    history.add(a_run("k", "1"), "failed", 1)
    history.add(a_run("k", "1"), "succeeded", 2)
    history.add(a_run("k", "2"), "dead-lettered", 3)
    assert history.outcome("k", "1") == "succeeded"
    assert history.outcome("k", "2") == "dead-lettered"
    history.close()


def test_runs_come_back_whole_and_in_order(tmp_path: Path):
    history = History(tmp_path)
    outcomes: list[Outcome] = ["failed", "succeeded", "skipped"]
    ids = [history.add(a_run("ké", "1", warnings=[f"w{n}"]), outcome, n) for n, outcome in enumerate(outcomes)]
    assert [run.record["warnings"] for run in history.runs()] == [["w0"], ["w1"], ["w2"]]
    assert [run.id for run in history.runs(after_id=ids[0])] == ids[1:]
    assert [run.outcome for run in history.runs(outcomes=FINAL)] == ["succeeded", "skipped"]
    assert [run.attempt for run in history.runs(newest=1)] == [2]
    history.close()


def test_the_latest_runs_come_one_at_a_time(tmp_path: Path):
    history = History(tmp_path)
    for number in range(400):
        history.add(a_run(f"k{number % 200}", "1", warnings=["w" * 20_000]), "succeeded", number)
    tracemalloc.start()
    attempts = {version: run.attempt for run, about in history.latest() for version in about}
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert attempts == {(f"k{number}", "1"): 200 + number for number in range(200)}
    assert peak_bytes < 1_000_000
    history.close()


def test_a_reader_sees_what_a_writer_wrote_and_both_survive_a_restart(tmp_path: Path):
    writer, reader = History(tmp_path), History(tmp_path)
    writer.add(a_run("k", "1"), "succeeded")
    assert reader.outcome("k", "1") == "succeeded"
    writer.close()
    reader.close()
    again = History(tmp_path)
    assert len(again.runs()) == 1
    again.close()


def test_an_entry_of_some_versions_leaves_the_others_alone(tmp_path: Path):
    history = History(tmp_path)
    late = a_run("k", "new", schedule="s", window={"begin": "b", "end": "e"})
    late["inputs"] = [{**late["inputs"][0], "named_etag": "old"}, {**late["inputs"][0], "key": "other"}]
    history.add(late, "dead-lettered", 3, "md5")
    history.add(a_run("k", "new"), "succeeded")
    history.enter({**late, "reason": "no need"}, [("k", "old")], "forgotten", 3)
    outcomes = {version: run.outcome for version, run, _ in history.last_runs()}
    assert outcomes == {
        ("k", "old"): "forgotten", ("k", "new"): "succeeded", ("other", "new"): "dead-lettered",
        ("", "md5"): "dead-lettered",
    }  # fmt: skip
    entered = history.of("k", "old")
    assert entered
    assert (entered.record["schedule"], entered.record["reason"]) == (None, "no need")
    history.enter(late, [("", "md5"), ("other", "new")], "retried")
    again = history.of("", "md5")
    assert again
    assert (again.record["schedule"], [item["key"] for item in again.record["inputs"]]) == ("s", ["other"])
    assert again == history.of("other", "new")
    history.close()


def test_a_run_is_entered_whole_or_not_at_all(tmp_path: Path):
    history = History(tmp_path)
    broken = a_run("k", "1")
    broken["inputs"].append({"bucket": "b"})  # type: ignore[typeddict-item]
    with pytest.raises(KeyError):
        history.add(broken, "succeeded")
    assert history.runs() == []
    history.close()
