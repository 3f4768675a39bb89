"""A run that has stored its outputs is not failed by its own report, whatever is in it."""

import json
from typing import Any

import pytest

from runner.messages import run_bounds
from runner.messages.run_record import RunRecord, new_record

MB = 1_000_000


def size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())


def record(**fields: Any) -> RunRecord:
    return run_bounds.bounded(new_record("succeeded", "id", **fields))


def outputs(count: int) -> list[dict[str, Any]]:
    return [{"bucket": "outputs", "key": f"data/lab/{number:06}.nc", "size": number} for number in range(count)]


def test_texts_are_cut_in_the_middle_and_the_cut_is_marked():
    long = "begin" + "x" * 47 * MB + "end"
    run = record(reason=long, warnings=[long], error={"type": "E", "message": long, "phase": "load", "traceback": long})
    assert run["error"]
    for text, most in (
        (run["reason"], 8_000), (run["warnings"][0], 2_000), (run["error"]["message"], 8_000),
        (run["error"]["traceback"], 20_000),
    ):  # fmt: skip
        assert text
        assert text.startswith("begin")
        assert text.endswith("end")
        assert f"… {len(long) - most} characters are left out …" in text
        assert len(text) < most + 60


def test_what_is_short_stays_as_it_is():
    run = new_record("succeeded", "id", warnings=["w"] * 100, outputs=outputs(3), reason="r")
    assert run_bounds.within(run_bounds.bounded(run), run_bounds.LOG_BYTES) == run


def test_more_warnings_than_anyone_reads_are_counted():
    assert record(warnings=[str(number) for number in range(130)])["warnings"][-1] == "30 more warnings are left out."


def test_a_log_line_fits_into_an_event_of_cloudwatch():
    run = record(outputs=outputs(20_000), qc={"rh": {"samples": 1, "flagged": {}}}, warnings=["the user's own"])
    cut = run_bounds.within(run, run_bounds.LOG_BYTES)
    assert 230_000 < size(cut) <= 256_000
    kept = len(cut["outputs"])
    assert cut["outputs"] == run["outputs"][:kept]
    assert cut["warnings"][-1] == (
        f"{20_000 - kept} of 20000 outputs are left out, because the record would be too large."
    )
    assert len(run["outputs"]) == 20_000


@pytest.mark.parametrize("count", [1, 10])
def test_a_response_fits_and_keeps_all_outputs(count: int):
    qc = {f"variable_{number}": {"samples": 1, "flagged": {"é" * 1000: 1}} for number in range(5000)}
    runs = [record(outputs=outputs(40_000 // count), qc=qc) for _ in range(count)]
    answer = run_bounds.response(runs)
    assert size(answer) < 6 * MB
    assert [run["outputs"] for run in answer] == [run["outputs"] for run in runs]
    assert all(0 < len(run["qc"]) < 5000 for run in answer)
    left_out = 5000 - len(answer[0]["qc"])
    assert (
        f"{left_out} of 5000 QC summaries are left out, because the record would be too large."
        in (answer[0]["warnings"])
    )


def test_a_response_that_fits_is_not_changed():
    runs = [record(outputs=outputs(10)) for _ in range(3)]
    assert run_bounds.response(runs) == runs
    assert run_bounds.response([]) == []
