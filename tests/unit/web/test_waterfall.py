"""The bars of a run follow each other without gap or overlap, and only what was measured is shown."""

import pytest

from runner.web.waterfall import bars

DURATIONS = {"upload": 0.1, "download": 0.2, "process": 0.5, "total": 1.0}


def test_phases_follow_each_other_in_the_order_of_the_path():
    found = bars(DURATIONS, ended_at=100.0)
    assert [bar.name for bar in found] == ["download", "process", "upload", "handler"]
    assert [bar.begin_s for bar in found] == pytest.approx([0.0, 0.2, 0.7, 0.8])
    assert sum(bar.seconds for bar in found) == pytest.approx(1.0)


def test_the_queue_comes_first_and_the_rest_last():
    found = bars(DURATIONS, ended_at=102.0, uploaded_at=100.0, received_at=100.5)
    assert (found[0].name, found[0].seconds, found[0].kind) == ("queue", 0.5, "wait")
    assert found[-1].name == "invoke, mirror, record"
    assert found[-1].begin_s + found[-1].seconds == pytest.approx(2.0)


def test_a_phase_of_another_version_is_shown_and_nothing_is_negative():
    found = bars({"decode": 0.3, "total": 0.2}, ended_at=1.0, uploaded_at=5.0, received_at=4.0)
    assert [bar.name for bar in found] == ["decode"]
    assert bars({}, ended_at=1.0) == []
