from __future__ import annotations

import pytest

from runner.messages.run_record import new_record
from runner.services.event_source_mapping.batch_results import MessageResult
from runner.services.event_source_mapping.run_log import RunLog
from tests.support.states import run_of


def result(attempt: int = 1, last: bool = False) -> MessageResult:
    return MessageResult("m", False, attempt, last)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level("INFO", "runs")
    return caplog


def test_a_success_names_pipeline_outputs_and_time(lines: pytest.LogCaptureFixture):
    outputs = [{"bucket": "o", "key": key, "size": 1} for key in ("x.nc", "y.png", "z.png")]
    RunLog().add(run_of("a.csv", "1", outputs=outputs, location="humboldt"), result())
    assert lines.messages == ["✔ a.csv → p/humboldt: 1 nc, 2 png in 1.00 s"]


def test_a_skip_has_its_reason_and_a_test_event_is_not_logged(lines: pytest.LogCaptureFixture):
    RunLog().add(run_of("a.csv", "1", "skipped", pipeline=None, reason="no route matches"), result())
    RunLog().add(new_record("skipped", "r", reason="Amazon S3 only tests"), result())
    assert lines.messages == ["– a.csv skipped: no route matches"]


def test_a_repeated_error_is_logged_once_until_another_outcome(lines: pytest.LogCaptureFixture):
    log, run = RunLog(), run_of("a.csv", "1", "failed")
    log.add(run, result(1))
    log.add(run, result(2))
    log.add(run, result(3, last=True))
    log.add(run, result(1))
    log.add(run_of("a.csv", "1"), result())
    log.add(run, result(1))
    first = "✗ a.csv → p failed (attempt 1, retry in 1 s)\n    ValueError in phase process: no such column"
    heads = [text.splitlines()[0] for text in lines.messages]
    assert lines.messages[0].startswith(first)
    assert heads == [
        "✗ a.csv → p failed (attempt 1, retry in 1 s)",
        "✗ a.csv → p failed again (attempt 2, retry in 1 s)",
        "✗ a.csv → p failed again (attempt 3, now in the dead-letter queue)",
        "✗ a.csv → p failed (attempt 1, retry in 1 s)",
        "✔ a.csv → p: nothing in 1.00 s",
        "✗ a.csv → p failed (attempt 1, retry in 1 s)",
    ]
    assert lines.messages[1] == heads[1]
    assert "runner retry" in lines.messages[2]
