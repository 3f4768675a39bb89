from __future__ import annotations

import json

import pytest

from runner.messages.run_record import OUTPUT_MISSING, new_record
from runner.messages.s3_events import for_one_pipeline, object_created
from runner.services.event_source_mapping.batch_results import results_of, retry_after_s
from runner.services.event_source_mapping.rie_client import Answer
from tests.support.states import run_of

BODY = json.dumps(object_created("b", "k.csv", "e", 1))
INPUTS = [{"bucket": "b", "key": "k.csv", "size": 1, "etag": "e"}]


def batch(*receive_counts: int) -> list[dict[str, object]]:
    return [
        {
            "MessageId": f"m{number}",
            "ReceiptHandle": f"h{number}",
            "Body": BODY,
            "MD5OfBody": "md5",
            "Attributes": {"ApproximateReceiveCount": str(count)},
        }
        for number, count in enumerate(receive_counts)
    ]


def failed(*numbers: int) -> dict[str, object]:
    runs = [new_record("failed", "r", message_id=f"m{number}") for number in numbers]
    return {"batchItemFailures": [{"itemIdentifier": f"m{number}"} for number in numbers], "runs": runs}


def test_messages_that_are_not_named_succeeded():
    runs = [new_record("failed", "r", message_id="m1"), new_record("succeeded", "r", message_id="m0")]
    answer = Answer("answered", payload={"batchItemFailures": [{"itemIdentifier": "m1"}], "runs": runs})
    first, second = results_of(batch(1, 2), answer, max_receive_count=3)
    assert (first.succeeded, first.runs, first.message_id) == (True, [runs[1]], "m0")
    assert (second.succeeded, second.runs, second.attempt, second.is_last_attempt) == (False, [runs[0]], 2, False)
    assert second.body_md5 == "md5"


def test_an_empty_answer_means_that_all_succeeded():
    for result in results_of(batch(1, 1), Answer("answered", payload={}), 3):
        (run,) = result.runs
        assert result.succeeded
        assert (run["status"], run["inputs"]) == ("skipped", INPUTS)
        assert run["reason"] == "The function acknowledged the message but returned no run record."


@pytest.mark.parametrize("kind", ["raised", "timed out", "died"])
def test_when_the_function_fails_every_message_failed_with_its_error(kind: str):
    answer = Answer(kind, error="Task timed out after 3.00 seconds", traceback="File x")  # type: ignore[arg-type]
    for result in results_of(batch(1, 3), answer, 3):
        (run,) = result.runs
        assert not result.succeeded
        assert run["inputs"] == INPUTS
        assert run["error"] == {
            "type": kind, "message": "Task timed out after 3.00 seconds", "phase": "invoke", "traceback": "File x",
        }  # fmt: skip


def test_a_failure_without_a_record_quotes_the_answer():
    payload = {"batchItemFailures": [{"itemIdentifier": "m0"}], "runs": []}
    (result,) = results_of(batch(1), Answer("answered", payload=payload), 3)
    error = result.runs[0]["error"]
    assert error
    assert error["message"].startswith("The function reported a failure without a reason: {'batchItemFailures'")


@pytest.mark.parametrize("named", [{"itemIdentifier": "unknown"}, {"wrong": "m0"}, "m0"])
def test_an_answer_in_another_form_fails_all_messages(named: object):
    answer = Answer("answered", payload={"batchItemFailures": [named]})
    assert not any(result.succeeded for result in results_of(batch(1, 1), answer, 3))


def test_only_the_last_attempt_is_final():
    earlier, last = results_of(batch(2, 3), Answer("answered", payload=failed(0, 1)), 3)
    assert (earlier.outcome_of(earlier.runs[0]), earlier.retry_after_s) == ("failed", 1)
    assert (last.outcome_of(last.runs[0]), last.retry_after_s) == ("dead-lettered", 0)
    assert [retry_after_s(attempt) for attempt in (1, 3, 4, 9)] == [1, 1, 2, 30]


def test_a_message_whose_outputs_cannot_be_copied_failed_and_is_received_again():
    outputs = [{"bucket": "o", "key": key, "size": 1} for key in ("x.nc", "y.nc")]
    runs = [run_of("k", "1", outputs=outputs, message_id="m0"), run_of("l", "1", message_id="m0")]
    runs.append(run_of("n", "1", "skipped", reason="no route", message_id="m0"))
    (result,) = results_of(batch(3), Answer("answered", payload={"runs": runs}), 3)
    assert (result.outputs, result.has_unlisted_outputs, result.is_last_attempt) == (["x.nc", "y.nc"], True, True)
    without = result.without_outputs("x.nc is gone")
    assert (without.succeeded, without.is_last_attempt, without.retry_after_s) == (False, False, 1)
    assert [run["status"] for run in without.runs] == ["failed", "failed", "skipped"]
    assert without.runs[0]["error"] == {
        "type": OUTPUT_MISSING, "message": "x.nc is gone", "phase": "copy", "traceback": "",
    }  # fmt: skip
    assert without.outcome_of(without.runs[0]) == "failed"


def test_a_failure_of_a_message_for_one_pipeline_is_that_of_the_pipeline():
    (message,) = batch(1)
    message["Body"] = for_one_pipeline(BODY, "pipelines/a/config/pipeline.yaml")
    (result,) = results_of([message], Answer("died", error="killed"), 3)
    assert [(run["config"], run["inputs"]) for run in result.runs] == [("pipelines/a/config/pipeline.yaml", INPUTS)]
