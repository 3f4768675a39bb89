"""What people read of a failure."""

import pytest

from runner.messages import run_summary
from runner.messages.run_record import Failure

TRACEBACK = 'Traceback (most recent call last):\n  File "/x/pipelines/a/b.py", line 3, in f\n    g()\nE: e\n'


def failure(phase: str, message: str = "torn") -> Failure:
    return {"type": "ValueError", "message": message, "phase": phase, "traceback": TRACEBACK}


def test_each_thing_is_said_once_and_the_place_comes_last():
    assert run_summary.told(failure("process", "torn\nLimit: /tmp is full\n")) == [
        "ValueError in phase process: torn",
        "  Limit: /tmp is full",
        "pipelines/a/b.py:3 in f",
        "    g()",
    ]


@pytest.mark.parametrize("phase", ["event", "route", "inspect"])
def test_where_no_pipeline_ran_no_place_is_told(phase: str):
    assert run_summary.told(failure(phase)) == [f"ValueError in phase {phase}: torn"]


@pytest.mark.parametrize(
    ("phase", "text"),
    [
        ("event", "next: find out who sends such messages to the queue"),
        ("route", "next: correct the routes, then `runner retry`"),
        ("inspect", "next: drop a mended archive, or change the limit, start again and `runner retry`"),
        ("invoke", "next: mend it, or change the limit and start again; then `runner retry`"),
        ("load", "next: mend it, then `runner retry`; `runner ingest FILE` runs it alone, in seconds"),
        ("upload", "next: mend it, then `runner retry`; `runner ingest FILE` runs it alone, in seconds"),
    ],
)
def test_each_phase_has_its_next_step(phase: str, text: str):
    assert run_summary.next_step(failure(phase)) == text


def test_an_empty_message_does_no_harm():
    assert run_summary.told({**failure("invoke", ""), "traceback": ""}) == ["ValueError in phase invoke: "]
