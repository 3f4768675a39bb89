"""Failures as people read them."""

import pytest

from runner.messages import run_summary
from runner.messages.run_record import Failure

TRACEBACK = 'Traceback (most recent call last):\n  File "/x/pipelines/a/b.py", line 3, in f\n    g()\nE: e\n'


def failure(phase: str, message: str = "torn") -> Failure:
    return {"type": "ValueError", "message": message, "phase": phase, "traceback": TRACEBACK}


def test_nothing_is_repeated_and_the_place_comes_last():
    assert run_summary.error_lines(failure("process", "torn\nLimit: /tmp is full\n")) == [
        "ValueError in phase process: torn",
        "  Limit: /tmp is full",
        "pipelines/a/b.py:3 in f",
        "    g()",
    ]


@pytest.mark.parametrize("phase", ["event", "route", "inspect"])
def test_without_a_pipeline_no_place_is_shown(phase: str):
    assert run_summary.error_lines(failure(phase)) == [f"ValueError in phase {phase}: torn"]


@pytest.mark.parametrize(
    ("phase", "text"),
    [
        ("event", "next: find out which sender puts such messages into the queue"),
        ("route", "next: correct the routes, then run `runner retry`"),
        ("inspect", "next: drop a corrected archive; or change the limit, restart, and run `runner retry`"),
        ("invoke", "next: fix it, or change the limit and restart; then run `runner retry`"),
        ("load", "next: fix it, then run `runner retry`; `runner ingest FILE` runs the pipeline alone, in seconds"),
        ("upload", "next: fix it, then run `runner retry`; `runner ingest FILE` runs the pipeline alone, in seconds"),
    ],
)
def test_each_phase_has_its_next_step(phase: str, text: str):
    assert run_summary.next_step(failure(phase)) == text


def test_an_empty_message_is_allowed():
    assert run_summary.error_lines({**failure("invoke", ""), "traceback": ""}) == ["ValueError in phase invoke: "]
