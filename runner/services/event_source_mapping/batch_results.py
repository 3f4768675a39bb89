"""What an invocation's answer means for each message of its batch. Pure.

The rules of partial batch responses ("Handling errors for an SQS event source in Lambda", AWS Lambda Developer Guide):
the messages named in batchItemFailures failed. If the function failed as a whole, names an unknown message, or returns
another form, all of them did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from runner.errors import EventError
from runner.messages import s3_events
from runner.messages.run_record import OUTPUT_MISSING, Outcome, RunRecord, new_record
from runner.services.event_source_mapping.rie_client import Answer

# The local stack retries after seconds; AWS after the visibility timeout.
_FIRST_RETRY_S = 1
_LONGEST_RETRY_S = 30
_FILTERED = "No pattern of FilterCriteria in template.yaml matches its message, so Lambda discards it without a run."
_NO_RECORD = "The function acknowledged the message but returned no run record."


@dataclass(frozen=True)
class MessageResult:
    """One message of a batch: whether it succeeded, at which attempt, and its runs."""

    message_id: str
    succeeded: bool
    attempt: int
    is_last_attempt: bool
    runs: list[RunRecord] = field(default_factory=list)
    body_md5: str = ""

    @property
    def outputs(self) -> list[str]:
        """The keys of what its runs stored."""
        return [output["key"] for run in self.runs for output in run["outputs"]]

    @property
    def output_bytes(self) -> int:
        """The size of what its runs stored."""
        return sum(output["size"] or 0 for run in self.runs for output in run["outputs"])

    @property
    def has_unlisted_outputs(self) -> bool:
        """Whether a run succeeded and lists no outputs: its pipeline has a storage class of its own."""
        return any(run["status"] == "succeeded" and not run["outputs"] for run in self.runs)

    @property
    def lacks_companion(self) -> bool:
        """Whether its only failure is that a companion of its file is not in the bucket yet."""
        failures = [run["error"]["type"] for run in self.runs if run["error"]]
        return bool(failures) and set(failures) == {"CompanionMissingError"}

    @property
    def retry_after_s(self) -> int:
        """How long to wait before the next attempt; after the last one SQS moves the message at its next receive."""
        return 0 if self.is_last_attempt else retry_after_s(self.attempt)

    def outcome_of(self, run: RunRecord) -> Outcome:
        """Return the outcome of a run: a failure is final only if its message has no attempt left."""
        return "dead-lettered" if run["status"] == "failed" and self.is_last_attempt else run["status"]

    def without_outputs(self, reason: str) -> MessageResult:
        """Return the same with its successful runs failed, because their outputs could not be copied.

        It is no last attempt: the reconciler records a dead letter if SQS has moved the message.
        """
        error = {"type": OUTPUT_MISSING, "message": reason, "phase": "copy", "traceback": ""}
        runs: list[RunRecord] = [
            {**run, "status": "failed", "error": error} if run["status"] == "succeeded" else run  # type: ignore[typeddict-item]
            for run in self.runs
        ]
        return replace(self, succeeded=False, runs=runs, is_last_attempt=False)


def retry_after_s(attempt: int) -> int:
    """Return how long the local stack waits after a failed attempt: 1, 1, 1, 2, 4, … seconds."""
    return min(_LONGEST_RETRY_S, _FIRST_RETRY_S << max(0, attempt - 3))


def results_of(batch: Sequence[Mapping[str, Any]], answer: Answer, max_receive_count: int) -> list[MessageResult]:
    """Return the result of each message of a batch."""
    failed = _failed_ids(batch, answer)
    runs = (answer.payload or {}).get("runs", [])
    results = []
    for message in batch:
        message_id = message["MessageId"]
        attempt = int(message.get("Attributes", {}).get("ApproximateReceiveCount", 1))
        own = [run for run in runs if run.get("message_id") == message_id]
        if message_id in failed and not any(run["status"] == "failed" for run in own):
            own = [*own, _failed_as_a_whole(message, answer)]
        if not own and (known := _requested(message))["inputs"]:
            own = [new_record("skipped", "", message_id=message_id, reason=_NO_RECORD, **known)]
        # `runner run` shows a file's last run: with several pipelines, a failure must not hide behind a success.
        own = sorted(own, key=lambda run: run["status"] == "failed")
        results.append(
            MessageResult(
                message_id=message_id,
                succeeded=message_id not in failed,
                attempt=attempt,
                is_last_attempt=attempt >= max_receive_count,
                runs=own,
                body_md5=message.get("MD5OfBody", ""),
            )
        )
    return results


def filtered(message: Mapping[str, Any]) -> MessageResult:
    """Return the result of a message that the mapping's filter criteria exclude."""
    own = new_record(
        "skipped",
        "",
        message_id=message["MessageId"],
        reason=_FILTERED,
        **_requested(message),
    )
    return MessageResult(
        message["MessageId"], succeeded=True, attempt=1, is_last_attempt=False, runs=[own],
        body_md5=message.get("MD5OfBody", ""),
    )  # fmt: skip


def _failed_ids(batch: Sequence[Mapping[str, Any]], answer: Answer) -> set[str]:
    everything = {message["MessageId"] for message in batch}
    if answer.kind != "answered":
        return everything
    try:
        named = {item["itemIdentifier"] for item in (answer.payload or {}).get("batchItemFailures") or []}
    except (TypeError, KeyError):
        return everything
    return named if named <= everything else everything


def _requested(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a run record that are known from a message alone."""
    try:
        parsed = s3_events.parse(message["Body"])
    except EventError:
        return {"inputs": []}
    fields: dict[str, Any] = {
        "inputs": [{"bucket": o.bucket, "key": o.key, "size": o.size, "etag": o.etag} for o in parsed.objects],
        "config": parsed.config,
    }
    for one in parsed.scheduled:
        fields |= {"schedule": one.schedule, "window": one.window.as_json(), "config": one.config}
    return fields


def _failed_as_a_whole(message: Mapping[str, Any], answer: Answer) -> RunRecord:
    """Return a record for a message whose run returned none."""
    return new_record(
        "failed",
        request_id="",
        message_id=message["MessageId"],
        **_requested(message),
        error={
            "type": answer.kind,
            "message": answer.error or f"The function reported a failure without a reason: {str(answer.payload)[:200]}",
            "phase": "invoke",
            "traceback": answer.traceback,
        },
    )
