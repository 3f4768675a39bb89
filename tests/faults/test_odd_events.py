"""Messages that are duplicated, late, out of order, about other buckets, or no events, sent to the real queue."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from runner.aws import clients
from runner.template.stack_template import StackTemplate
from runner.testing.stacks import Stack, eventually
from tests.support import killing
from tests.support.commands import failures
from tests.support.digests import expected
from tests.support.outcomes import etag, in_flight, messages, objects_of, verify_outcomes

KNOWN_FORMS = (
    "Known forms: an S3 event notification (Records with eventSource aws:s3 and eventVersion 2.x), an s3:TestEvent, an "
    "EventBridge event with source aws.s3, a schedule's event with source tsdat.schedule; each alone, or in an SQS "
    "message, an SNS message, or an SNS message in SQS."
)


class Queue:
    """The stack's queue."""

    def __init__(self, stack: Stack, described: StackTemplate) -> None:
        self._stack, self._name, self._bucket = stack, described.queue_name, described.source_bucket
        self._sqs = clients.local_sqs(stack.endpoint_url)
        self._url = self._sqs.get_queue_url(QueueName=self._name)["QueueUrl"]

    def event(self, key: str, content: bytes, **about: Any) -> dict[str, Any]:
        """Return S3's event for an object."""
        entity = {"key": key, "size": len(content), "eTag": etag(content), **about}
        record = {"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}
        return {"Records": [{**record, "s3": {"bucket": {"name": self._bucket}, "object": entity}}]}

    def send(self, *bodies: object, delay_s: int = 0) -> list[str]:
        """Send messages and return their bodies."""
        texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
        for text in texts:
            self._sqs.send_message(QueueUrl=self._url, MessageBody=text, DelaySeconds=delay_s)
        return texts

    def finish_poll(self, key: str) -> None:
        """With the poller paused, wait until its current poll receives this file's message or ends without one."""
        self._stack.put(key.encode(), key)
        deadline = time.monotonic() + 1.5  # a poll lasts a second
        eventually(lambda: in_flight(self._stack, self._name) or time.monotonic() > deadline, "end of the poll")

    def receive(self, versions: set[tuple[str, str]]) -> list[str]:
        """With the poller paused, receive messages until these versions are named; return the bodies in order."""
        received: list[str] = []

        def all_of_them() -> bool:
            for message in self._sqs.receive_message(QueueUrl=self._url).get("Messages", []):
                received.append(message["Body"])
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
            return versions <= {named for body in received for named in objects_of(body)}

        eventually(all_of_them, "events of all versions")
        return received

    def drain(self) -> None:
        """Wait until it is empty, including messages in flight and delayed ones."""
        eventually(lambda: not messages(self._stack, self._name), "empty queue")


@pytest.fixture
def queue(stack: Stack, described: StackTemplate) -> Queue:
    return Queue(stack, described)


def test_duplicate_events_change_nothing(stack: Stack, described: StackTemplate, queue: Queue):
    key, content = "events/noop.again.txt", b"again and again"
    stack.put(content, key)
    stack.final(key)
    queue.send(*[queue.event(key, content)] * 5)
    eventually(lambda: len(stack.runs_of(key)) >= 6, "five more runs")
    queue.drain()
    assert verify_outcomes(stack, described, expected).outcomes[key] == "succeeded"


def test_a_late_event_of_an_older_version_does_not_replace_the_newer_outputs(
    stack: Stack, described: StackTemplate, queue: Queue
):
    key, older, newer = "events/noop.late.txt", b"older", b"newer"
    for count, content in enumerate((older, newer), start=1):
        stack.put(content, key)
        stack.final(key, count)
    runs = len(stack.runs_of(key))
    queue.send(queue.event(key, newer), queue.event(key, older), delay_s=1)
    eventually(lambda: len(stack.runs_of(key)) >= runs + 2, "both late events")
    queue.drain()
    assert verify_outcomes(stack, described, expected).outcomes[key] == "succeeded"


def test_events_in_reverse_order_lead_to_the_newest_version(stack: Stack, described: StackTemplate, queue: Queue):
    keys = [f"events/noop.order{number}.txt" for number in range(3)]
    bodies: list[str] = []
    with killing.paused(killing.pid_of(stack, "poller")):
        queue.finish_poll("events/noop.ordered.txt")
        for content in (b"older", b"newer"):
            for key in keys:
                stack.put(content + key.encode(), key)
            bodies += queue.receive({(key, etag(content + key.encode())) for key in keys})
        queue.send(*reversed(bodies))
    for key in keys:
        stack.final(key, 2)
    queue.drain()
    for key in keys:
        older, newer = b"older" + key.encode(), b"newer" + key.encode()
        inputs = [item for run in stack.runs_of(key) for item in run.record["inputs"]]
        named = [item.get("named_etag", item["etag"]) for item in inputs]
        # Each event ran once. Runs are recorded when their outputs are copied, in any order.
        assert sorted(named) == sorted([etag(newer), etag(older)])
        assert {item["etag"] for item in inputs} == {etag(newer)}
        of_its_content, *_ = expected(key, older)
        assert not (stack.outputs / of_its_content).exists()
    outcomes = verify_outcomes(stack, described, expected).outcomes
    assert [outcomes[key] for key in keys] == ["succeeded"] * len(keys)


def test_messages_without_a_file_are_dead_lettered_and_do_not_block_files(
    stack: Stack, described: StackTemplate, queue: Queue
):
    elsewhere = queue.event("noop.elsewhere.txt", b"?")
    elsewhere["Records"][0]["s3"]["bucket"]["name"] = "somebody-elses-bucket"
    gone = queue.event("events/noop.gone.txt", b"gone")
    before = verify_outcomes(stack, described, expected).unrelated
    sent = queue.send("no JSON at all", {"hello": "world"}, [], elsewhere, gone)
    key = "events/noop.beside.txt"
    stack.put(key.encode(), key)
    assert stack.final(key).outcome == "succeeded"
    queue.drain()
    unrelated = verify_outcomes(stack, described, expected).unrelated
    assert sorted(unrelated) == sorted(before + sent)
    shown = {
        row["etag"]: (row["tried"], row["error"]["type"], row["error"]["message"]) for row in failures(stack).values()
    }
    # A message that names no file is listed by its body.
    no_json, other, empty = (etag(text.encode()) for text in sent[:3])
    assert {tag: shown[tag] for tag in (no_json, other, empty, etag(b"?"), etag(b"gone"))} == {
        no_json: (
            3, "EventError",
            f"The message is not JSON (Expecting value: line 1 column 1 (char 0)): no JSON at all\n{KNOWN_FORMS}",
        ),
        other: (3, "EventError", f'Unknown form of event: {{"hello": "world"}}\n{KNOWN_FORMS}'),
        empty: (3, "EventError", f"Unknown form of event: []\n{KNOWN_FORMS}"),
        etag(b"?"): (
            3, "NoSuchBucket",
            "An error occurred (NoSuchBucket) when calling the GetObject operation: The specified bucket does not "
            "exist\nThe bucket is somebody-elses-bucket.",
        ),
        etag(b"gone"): (
            3, "GoneError",
            f"s3://{described.source_bucket}/events/noop.gone.txt does not exist: it was deleted after its event was "
            "sent. Upload it again, or ignore this failure.",
        ),
    }  # fmt: skip


def test_a_test_event_beside_real_messages_in_one_batch(stack: Stack, described: StackTemplate, queue: Queue):
    good, bad = [f"events/noop.good{number}.txt" for number in range(4)], "events/noop.raise.txt"
    test_event = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": described.source_bucket}
    with killing.paused(killing.pid_of(stack, "poller")):
        queue.finish_poll("events/noop.first.txt")
        for key in (*good, bad):
            stack.put(key.encode(), key)
        eventually(lambda: len(messages(stack, described.queue_name)) >= 6, "events of all files")
        queue.send(test_event)
    assert [stack.final(key).outcome for key in (*good, bad)] == ["succeeded"] * 4 + ["dead-lettered"]
    requests = [{run.record["request_id"] for run in stack.runs_of(key)} for key in (*good, bad)]
    alone = [run.record for run in stack.state.runs.after(0) if not run.record["inputs"]]
    tested = {record["request_id"] for record in alone if (record["reason"] or "").startswith("s3:TestEvent")}
    assert tested.intersection(*requests)
    queue.drain()
    outcomes = verify_outcomes(stack, described, expected).outcomes
    assert [outcomes[key] for key in (*good, bad)] == ["succeeded"] * 4 + ["dead-lettered"]
