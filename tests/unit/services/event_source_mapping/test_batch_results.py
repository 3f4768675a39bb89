import json

from runner.messages.run_record import new_record
from runner.services.event_source_mapping.batch_results import verdicts
from runner.services.event_source_mapping.rie_client import Answer

BODY = json.dumps(
    {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": "b"}, "object": {"key": "k.csv", "size": 1, "eTag": "e"}},
            }
        ]
    }
)


def batch(*receive_counts: int) -> list[dict[str, object]]:
    return [
        {
            "MessageId": f"m{number}",
            "ReceiptHandle": f"h{number}",
            "Body": BODY,
            "Attributes": {"ApproximateReceiveCount": str(count)},
        }
        for number, count in enumerate(receive_counts)
    ]


def test_messages_that_are_not_named_succeeded():
    runs = [new_record("failed", "r", message_id="m1"), new_record("succeeded", "r", message_id="m0")]
    answer = Answer("answered", payload={"batchItemFailures": [{"itemIdentifier": "m1"}], "runs": runs})
    first, second = verdicts(batch(1, 2), answer, max_receive_count=3)
    assert (first.succeeded, first.runs) == (True, [runs[1]])
    assert (second.succeeded, second.runs, second.attempt, second.last) == (False, [runs[0]], 2, False)


def test_an_empty_answer_means_that_all_succeeded():
    assert all(verdict.succeeded for verdict in verdicts(batch(1, 1), Answer("answered", payload={}), 3))


def test_when_the_function_fails_every_message_failed_and_says_why():
    answer = Answer("timed out", error="Task timed out after 3.00 seconds")
    for verdict in verdicts(batch(1, 3), answer, 3):
        assert not verdict.succeeded
        (run,) = verdict.runs
        assert run["error"] is not None
        assert run["error"]["message"] == "Task timed out after 3.00 seconds"
        assert run["inputs"] == [{"bucket": "b", "key": "k.csv", "size": 1, "etag": "e"}]


def test_an_answer_that_is_no_partial_batch_response_fails_them_all():
    for payload in (
        {"batchItemFailures": [{"itemIdentifier": "unknown"}]},
        {"batchItemFailures": [{"wrong": "m0"}]},
        {"batchItemFailures": ["m0"]},
    ):
        assert not any(verdict.succeeded for verdict in verdicts(batch(1, 1), Answer("answered", payload=payload), 3))


def test_only_the_last_attempt_is_final():
    runs = [new_record("failed", "r", message_id=f"m{n}") for n in range(2)]
    failures = [{"itemIdentifier": f"m{n}"} for n in range(2)]
    first, last = verdicts(batch(2, 3), Answer("answered", payload={"batchItemFailures": failures, "runs": runs}), 3)
    assert first.outcome_of(first.runs[0]) == "failed"
    assert last.outcome_of(last.runs[0]) == "dead-lettered"
