"""Nothing is ever lost, and one can see it: the balance sheet, failures, and what people do about them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from conftest import SAMPLES, Supervised, runner, running

from runner import aws
from runner.backends import Stack, eventually
from runner.queues import Queues
from runner.template import StackTemplate

TIDE = next((SAMPLES / "tide_gauge").glob("*/*.log"))
KEY = f"tide_gauge/mcrl/{TIDE.name}"


def reconcile(stack: Stack, *options: str) -> tuple[int, dict[str, Any]]:
    """`runner reconcile` as a program would call it."""
    done = runner("reconcile", "--json", "--data", stack.data, *options)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@contextmanager
def paused(stack: Supervised, *names: str) -> Iterator[None]:
    """Children that do nothing during the body."""
    pids = [stack.children()[name] for name in names]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_every_end_is_accounted_for(stack: Stack):
    before = reconcile(stack, "--wait", "60")[1]["accounted"]
    stack.put(TIDE, f"tide_gauge/mcrl/balance/{TIDE.name}")
    stack.put(b"?", "balance/unknown.bin")
    stack.put(b"torn", "balance/buoy.z05.00.20201201.000000.zip")
    code, sheet = reconcile(stack, "--wait", "90")
    assert (code, sheet["unaccounted"]) == (0, [])
    more = {place: count - before[place] for place, count in sheet["accounted"].items()}
    assert more == {
        "succeeded": 1, "skipped": 1, "dead-lettered": 1, "forgotten": 0, "in progress": 0, "refused": 0,
    }  # fmt: skip
    assert "0 unaccounted for" in runner("reconcile", "--data", stack.data).stdout


def test_an_object_whose_event_is_lost_is_found_and_processed(tmp_path: Path, described: StackTemplate):
    with running(tmp_path) as stack:
        queues = Queues(stack.endpoint_url, described)
        sqs = aws.local_sqs(stack.endpoint_url)
        url = sqs.get_queue_url(QueueName=described.queue_name)["QueueUrl"]
        with paused(stack, "runner poll"):
            stack.put(TIDE, KEY)
            eventually(lambda: [m for m in queues.waiting() if m.versions and m.attempts == 0], "event")
            sqs.purge_queue(QueueUrl=url)
            assert queues.waiting() == []
        code, sheet = reconcile(stack, "--wait", "60")
        assert (code, sheet["unaccounted"], sheet["accounted"]["succeeded"]) == (0, [], 1)
        assert stack.final(KEY).outcome == "succeeded"


def test_outputs_lost_before_anybody_had_them_are_made_again(tmp_path: Path, described: StackTemplate):
    with running(tmp_path) as stack:
        stack.put(TIDE, KEY)
        outputs = stack.mirrored(stack.final(KEY))
        # As if LocalStack had died between the end of the run and the mirror.
        s3 = aws.local_s3(stack.endpoint_url)
        s3.delete_object(Bucket=described.destination_bucket, Key=outputs[0].relative_to(stack.outputs).as_posix())
        outputs[0].unlink()
        assert not stack.history.kept()
        code, sheet = reconcile(stack, "--wait", "60")
        assert (code, sheet["accounted"]["succeeded"]) == (0, 1)
        assert outputs[0].is_file()
        assert len(stack.ended(KEY)) == 2
        assert len(stack.history.kept()) == 1
        outputs[0].unlink()
        s3.delete_object(Bucket=described.destination_bucket, Key=outputs[0].relative_to(stack.outputs).as_posix())
        code, sheet = reconcile(stack)  # somebody took it: told, and not made again
        assert (code, sheet["unaccounted"][0]["key"]) == (1, KEY)
        assert sheet["unaccounted"][0]["problem"].startswith("has succeeded, but this output is neither in the bucket")
        assert len(stack.ended(KEY)) == 2


def test_a_dead_letter_that_nobody_saw_gets_its_reason(tmp_path: Path, described: StackTemplate):
    with running(tmp_path) as stack:
        queues = Queues(stack.endpoint_url, described)
        sqs = aws.local_sqs(stack.endpoint_url)
        url = sqs.get_queue_url(QueueName=described.queue_name)["QueueUrl"]
        with paused(stack, "runner poll"):
            stack.put(TIDE, KEY)
            sqs.send_message(QueueUrl=url, MessageBody="no event at all")

            def attempts_used_up() -> bool:
                sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
                return len([message for message in queues.dead() if message.versions]) == 2

            eventually(attempts_used_up, "two dead letters", 20)
            assert not stack.runs_of(KEY)
        run = stack.final(KEY)  # the stack finds it by itself
        assert (run.outcome, run.attempt) == ("dead-lettered", 3)
        assert run.record["error"] is not None
        assert run.record["error"]["message"] == (
            "Its last attempt came to no answer, because the poller or the Lambda ended meanwhile. "
            "`runner retry` tries it again."
        )
        code, sheet = reconcile(stack)
        assert (code, sheet["accounted"]["dead-lettered"]) == (0, 2)


def test_without_a_stack_the_books_are_open_too(tmp_path: Path):
    with running(tmp_path) as stack:
        stack.put(TIDE, KEY)
        stack.mirrored(stack.final(KEY))
        assert reconcile(stack)[0] == 0
    (tmp_path / "inbox" / "new.csv").write_text("x")
    done = runner("reconcile", "--data", tmp_path)
    assert done.returncode == 0
    assert "No stack runs on this folder: the next `runner up` takes up what is in progress." in done.stderr
    assert done.stdout.strip() == "0 unaccounted for; 1 succeeded, 1 in progress"
    done = runner("reconcile", "--data", tmp_path, "--json", "--wait", "0.5")
    assert done.returncode == 1
    (missing,) = json.loads(done.stdout)["unaccounted"]
    assert missing == {"key": "new.csv", "etag": "", "problem": "is still in progress after 0.5 s"}
