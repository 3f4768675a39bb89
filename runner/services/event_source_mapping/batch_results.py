"""What an invocation's answer means for each message of its batch. Pure.

The rules of partial batch responses ("Handling errors for an SQS event source in Lambda", AWS Lambda Developer Guide):
the messages named in batchItemFailures failed; when the function failed as a whole, or names an unknown message, or its
answer has not that form, all of them did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.errors import EventError
from runner.messages import s3_events
from runner.messages.run_record import Input, Outcome, RunRecord, new_record
from runner.services.event_source_mapping.rie_client import Answer


@dataclass(frozen=True)
class Verdict:
    """One message: whether it succeeded, at which attempt, and the runs it led to."""

    message_id: str
    receipt_handle: str
    succeeded: bool
    attempt: int
    last: bool
    runs: list[RunRecord] = field(default_factory=list)
    body_md5: str = ""

    def outcome_of(self, run: RunRecord) -> Outcome:
        """A failed run is final only when the queue gives its message up."""
        return "dead-lettered" if run["status"] == "failed" and self.last else run["status"]


def verdicts(batch: Sequence[Mapping[str, Any]], answer: Answer, max_receive_count: int) -> list[Verdict]:
    """The verdict on each message of a batch."""
    failed = _failed_ids(batch, answer)
    runs = (answer.payload or {}).get("runs", [])
    result = []
    for message in batch:
        message_id = message["MessageId"]
        attempt = int(message.get("Attributes", {}).get("ApproximateReceiveCount", 1))
        own = [run for run in runs if run.get("message_id") == message_id]
        if message_id in failed and not any(run["status"] == "failed" for run in own):
            own = [*own, _failed_as_a_whole(message, answer)]
        if not own and (inputs := _inputs(message)):
            own = [new_record("skipped", "", message_id=message_id, inputs=inputs, reason=_SILENT)]
        result.append(
            Verdict(
                message_id=message_id,
                receipt_handle=message["ReceiptHandle"],
                succeeded=message_id not in failed,
                attempt=attempt,
                last=attempt >= max_receive_count,
                runs=own,
                body_md5=message.get("MD5OfBody", ""),
            )
        )
    return result


def _failed_ids(batch: Sequence[Mapping[str, Any]], answer: Answer) -> set[str]:
    everything = {message["MessageId"] for message in batch}
    if answer.kind != "answered":
        return everything
    try:
        named = {item["itemIdentifier"] for item in (answer.payload or {}).get("batchItemFailures") or []}
    except (TypeError, KeyError):
        return everything
    return named if named <= everything else everything


_SILENT = "The function acknowledged the message and told of no run."


def _inputs(message: Mapping[str, Any]) -> list[Input]:
    try:
        parsed = s3_events.parse(message["Body"])
    except EventError:
        return []
    return [{"bucket": o.bucket, "key": o.key, "size": o.size, "etag": o.etag} for o in parsed.objects]


def _scheduling(message: Mapping[str, Any]) -> dict[str, Any]:
    """What a schedule's message asks for."""
    try:
        scheduled = s3_events.parse(message["Body"]).scheduled
    except EventError:
        scheduled = ()
    return next(
        ({"schedule": one.schedule, "window": one.window.as_json(), "config": one.config} for one in scheduled), {}
    )


def _failed_as_a_whole(message: Mapping[str, Any], answer: Answer) -> RunRecord:
    """A record for a message whose run could not tell of itself."""
    return new_record(
        "failed",
        request_id="",
        message_id=message["MessageId"],
        inputs=_inputs(message),
        **_scheduling(message),
        error={
            "type": answer.kind,
            "message": answer.error or f"The function reported a failure and no reason: {str(answer.payload)[:200]}",
            "phase": "invoke",
            "traceback": answer.traceback,
        },
    )


_RETRY_FIRST_S = 1


_RETRY_MOST_S = 30


def retry_wait_s(attempt: int) -> int:
    """1, 2, 4 … seconds after the first, second, third … attempt."""
    return min(_RETRY_MOST_S, _RETRY_FIRST_S << (attempt - 1))
