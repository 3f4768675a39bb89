"""The lines that `runner up` shows as runs end."""

import logging

import pytest

from runner.function.lambda_limits import failure_of
from runner.messages.run_record import RunRecord, new_record
from runner.services import run_log
from runner.services.event_source_mapping.batch_results import Verdict


def failed(error: Exception) -> RunRecord:
    try:
        raise error
    except type(error) as caught:
        failure = failure_of(caught, "process")
    item = {"bucket": "b", "key": "a/b.csv", "size": 1, "etag": "e"}
    return new_record("failed", "r", pipeline="a", location="x", inputs=[item], error=failure)


def verdict(attempt: int, *, succeeded: bool = False) -> Verdict:
    return Verdict("m", "r", succeeded=succeeded, attempt=attempt, last=attempt == 3)


NEXT = "\n    next: fix it, then run `runner retry`; `runner ingest FILE` runs the pipeline alone, in seconds"


def test_an_error_is_told_once_and_the_next_step_at_the_end(caplog: pytest.LogCaptureFixture):
    teller = run_log.Teller()
    with caplog.at_level(logging.INFO, "runs"):
        for attempt in (1, 2, 3):
            teller.tell(failed(ValueError("torn")), verdict(attempt))
    first, second, third = [record.getMessage() for record in caplog.records]
    assert first.startswith(
        "✗ a/b.csv → a/x failed (attempt 1, will be tried again in 1 s)\n    ValueError in phase process: torn\n"
    )
    assert "test_output.py:" in first
    assert "next:" not in first
    assert second == "✗ a/b.csv → a/x failed again (attempt 2, will be tried again in 2 s)"
    assert third == f"✗ a/b.csv → a/x failed again (attempt 3, now in the dead-letter queue){NEXT}"


def test_another_error_is_told(caplog: pytest.LogCaptureFixture):
    teller = run_log.Teller()
    with caplog.at_level(logging.INFO, "runs"):
        teller.tell(failed(ValueError("torn")), verdict(2))
        teller.tell(failed(KeyError("no such column")), verdict(3))
    last = caplog.records[-1].getMessage()
    assert last.startswith("✗ a/b.csv → a/x failed (attempt 3, now in the dead-letter queue)\n    KeyError in phase")
    assert last.endswith(NEXT)


def test_after_a_success_the_same_error_is_news(caplog: pytest.LogCaptureFixture):
    teller = run_log.Teller()
    done = {**failed(ValueError("torn")), "status": "succeeded", "error": None, "durations_s": {"total": 1.0}}
    with caplog.at_level(logging.INFO, "runs"):
        teller.tell(failed(ValueError("torn")), verdict(1))
        teller.tell(done, verdict(2, succeeded=True))  # type: ignore[arg-type]
        teller.tell(failed(ValueError("torn")), verdict(1))
    assert caplog.records[1].getMessage() == "✔ a/b.csv → a/x: nothing in 1.00 s"
    assert "ValueError in phase process: torn" in caplog.records[2].getMessage()
