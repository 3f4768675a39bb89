"""Nothing is ever lost, and one can see it: the balance sheet, failures, and what people do about them."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from runner.aws import clients
from runner.aws.s3 import object_etag, sha256_of, upload
from runner.aws.sqs import Message, Queues
from runner.cli import reconcile as reconciling
from runner.messages.run_record import Version
from runner.messages.run_summary import short_id
from runner.messages.s3_events import object_created
from runner.services.reconciler import loop
from runner.settings import Settings
from runner.template.stack_template import StackTemplate
from runner.testing.stacks import Stack, eventually
from tests.support.commands import failures_of as failures
from tests.support.commands import reconcile
from tests.support.stacks import ROOT, TIDE, Supervised, runner

BAD = b"torn"
TOLD = "failures/buoy.z05.00.20201201.000000.zip"
RETRIED = [f"tide_gauge/mcrl/retry/tide_20210{n}01000000.log" for n in (1, 2)]
FORGOTTEN = "forget/buoy.z05.00.20201201.000000.zip"
NO_EVENT = "no event at all: é"
# Of days of their own, and so with outputs of their own.
UNHEARD, UNMIRRORED, UNMIRRORED_TOO = (f"tide_gauge/mcrl/lost/tide_20211{n}01000000.log" for n in (1, 2, 3))
UNSEEN, UNSEEN_TOO = f"tide_gauge/mcrl/unseen/{TIDE.name}", "no event, and nobody saw it"
UNSEEN_TOGETHER = [f"unseen/buoy.z0{n}.00.20201201.000000.zip" for n in (5, 6)]


@pytest.fixture(scope="module", params=["embedded", "docker"])
def stack(request: pytest.FixtureRequest) -> Stack:
    """One after the other, both backends; for what fails on them together."""
    return request.getfixturevalue(f"{request.param}_stack")


@pytest.fixture(scope="module")
def failed(stack: Stack, described: StackTemplate) -> Queues:
    """The queues, with what has used up its attempts at the same time in the dead-letter queue."""
    queues, keys = (
        Queues(stack.endpoint_url, described.queue_name, described.dead_letter_queue_name),
        {TOLD, *RETRIED, FORGOTTEN},
    )
    queues.send(NO_EVENT)
    for key in keys:
        stack.put(BAD, key)
    for key in keys:
        stack.final(key)
    eventually(lambda: NO_EVENT in [message.body for message in queues.dead()], "dead letter that is no event")
    eventually(lambda: keys <= {key for message in queues.dead() for key, _ in message.versions}, "dead letters")
    return queues


def naming(messages: Iterable[Message], key: str) -> list[Message]:
    """Those of the messages that are about a key."""
    return [message for message in messages if key in [name for name, _ in message.versions]]


def version(body: str) -> Version:
    """What the history knows a message by that names no file."""
    return "", hashlib.md5(body.encode()).hexdigest()


def at_rest(stack: Stack, described: StackTemplate) -> None:
    """Wait until nothing is in the queue or in flight."""
    queues = Queues(stack.endpoint_url, described.queue_name, described.dead_letter_queue_name)
    eventually(lambda: not queues.depths()[0], "empty queue")


@contextmanager
def unnoticed(stack: Stack, described: StackTemplate) -> Iterator[None]:
    """S3 tells the queue nothing during the body."""
    at_rest(stack, described)
    s3, bucket = clients.local_s3(stack.endpoint_url), described.source_bucket
    told = s3.get_bucket_notification_configuration(Bucket=bucket)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    try:
        yield
    finally:
        configuration = {"QueueConfigurations": told["QueueConfigurations"]}
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)


def of_both(stack: Stack, described: StackTemplate, keys: Iterable[str]) -> str:
    """The body of one message about new objects, of which S3 tells nothing."""
    s3, bucket = clients.local_s3(stack.endpoint_url), described.source_bucket
    with unnoticed(stack, described):
        etags = {key: s3.put_object(Bucket=bucket, Key=key, Body=BAD)["ETag"].strip('"') for key in keys}
    events = [object_created(bucket, key, etag) for key, etag in etags.items()]
    return json.dumps({"Records": [record for event in events for record in event["Records"]]})


@contextmanager
def occupied(stack: Supervised, described: StackTemplate) -> Iterator[None]:
    """A message is in flight during the body, so that the stack does not look through everything."""
    at_rest(stack, described)
    sqs = clients.local_sqs(stack.endpoint_url)
    url = sqs.get_queue_url(QueueName=described.queue_name)["QueueUrl"]
    with stack.paused("runner poll"):
        sqs.send_message(QueueUrl=url, MessageBody=(ROOT / "tests" / "events" / "s3-test-event.json").read_text())
        (message,) = sqs.receive_message(QueueUrl=url, VisibilityTimeout=600)["Messages"]
    try:
        yield
    finally:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def kept(stack: Stack, key: str) -> list[bool]:
    """Whether somebody has seen the outputs of a key's versions in the outputs folder."""
    return [seen for (name, _), _, seen in stack.history.last_runs() if name == key]


def lose(stack: Stack, described: StackTemplate, key: str) -> Path:
    """Lose an output of a key as if LocalStack had died between the end of the run and the mirror."""
    lost = stack.mirrored(stack.ended(key)[-1])[0]
    s3, name = clients.local_s3(stack.endpoint_url), lost.relative_to(stack.outputs).as_posix()
    s3.delete_object(Bucket=described.destination_bucket, Key=name)
    lost.unlink()
    return lost


def leave_unseen(stack: Supervised, described: StackTemplate) -> None:
    """Use up the attempts of a file, of a message, and of two files in one, while nobody is there to see it."""
    queues, sqs = (
        Queues(stack.endpoint_url, described.queue_name, described.dead_letter_queue_name),
        clients.local_sqs(stack.endpoint_url),
    )
    url = sqs.get_queue_url(QueueName=described.queue_name)["QueueUrl"]
    at_rest(stack, described)
    with stack.paused("runner poll"):
        queues.send(of_both(stack, described, UNSEEN_TOGETHER))
        stack.put(TIDE, UNSEEN)
        queues.send(UNSEEN_TOO)

        def attempts_used_up() -> bool:
            sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
            dead = queues.dead()
            files = all(naming(dead, key) for key in (UNSEEN, *UNSEEN_TOGETHER))
            return files and UNSEEN_TOO in [message.body for message in dead]

        eventually(attempts_used_up, "three dead letters", 20)
        assert not [run for key in (UNSEEN, *UNSEEN_TOGETHER) for run in stack.runs_of(key)]


@pytest.fixture(scope="module")
def lost(embedded_stack: Supervised, described: StackTemplate) -> Path:
    """An output, lost at the same time as an event and two last attempts: the stack looks at most every 30 s."""
    stack = embedded_stack
    with occupied(stack, described):
        stack.put(TIDE, UNMIRRORED)
        stack.final(UNMIRRORED)
        lost = lose(stack, described, UNMIRRORED)
        assert kept(stack, UNMIRRORED) == [False]
    with unnoticed(stack, described):
        stack.put(TIDE, UNHEARD)
        eventually(lambda: f"↑ {UNHEARD}" in stack.text, "upload")
        assert not naming(
            Queues(stack.endpoint_url, described.queue_name, described.dead_letter_queue_name).waiting(), UNHEARD
        )
        assert not stack.runs_of(UNHEARD)
    leave_unseen(stack, described)
    for key, count in {UNMIRRORED: 2, UNHEARD: 1, UNSEEN: 1, **dict.fromkeys(UNSEEN_TOGETHER, 1)}.items():
        stack.final(key, count, patience_s=100)
    eventually(lambda: stack.history.outcome(*version(UNSEEN_TOO)) == "dead-lettered", "end of the message", 100)
    return lost


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


def test_a_touched_file_is_sent_again_if_a_watcher_died_after_another_version(
    stack: Stack, described: StackTemplate, tmp_path: Path
):
    key, s3 = f"tide_gauge/mcrl/touched/{TIDE.name}", clients.local_s3(stack.endpoint_url)
    path = stack.put(TIDE, key)
    etag = stack.final(key).record["inputs"][0]["etag"]
    # What a watcher leaves that was killed before it entered its upload.
    (tmp_path / "other").write_bytes(TIDE.read_bytes() + b"\n")
    other = upload(s3, described.source_bucket, key, tmp_path / "other", sha256_of(tmp_path / "other"))
    assert object_etag(s3, described.source_bucket, key) == other != etag
    path.touch()
    eventually(lambda: object_etag(s3, described.source_bucket, key) == etag, "the inbox's version in the bucket")


def test_other_content_of_the_same_size_and_time_is_sent(stack: Stack, described: StackTemplate):
    key, s3 = f"tide_gauge/mcrl/same/{TIDE.name}", clients.local_s3(stack.endpoint_url)
    path = stack.put(TIDE, key)
    stack.final(key)
    corrected = path.with_name(".corrected")  # not taken under this name
    corrected.write_bytes(path.read_bytes().replace(b" -0.350 ", b" -0.351 "))
    before = path.stat()
    os.utime(corrected, ns=(before.st_atime_ns, before.st_mtime_ns))
    corrected.replace(path)
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    run = stack.final(key, count=2)
    etag = hashlib.md5(path.read_bytes()).hexdigest()
    assert (run.outcome, run.record["inputs"][0]["etag"]) == ("succeeded", etag)
    assert object_etag(s3, described.source_bucket, key) == etag


def test_an_object_whose_event_is_lost_is_found_and_processed(
    embedded_stack: Supervised, described: StackTemplate, lost: Path
):
    stack, queues = (
        embedded_stack,
        Queues(embedded_stack.endpoint_url, described.queue_name, described.dead_letter_queue_name),
    )
    # By the stack itself.
    assert stack.final(UNHEARD).outcome == "succeeded"
    problem = "is in the source bucket without a message in the queue"
    assert f"↻ {UNHEARD} {problem}: taken up again" in stack.text
    # By the command, while the stack cannot.
    before = reconcile(stack, "--wait", "60")[1]["accounted"]
    other = f"tide_gauge/mcrl/unheard/{TIDE.name}"
    with unnoticed(stack, described), stack.paused("runner poll"):
        stack.put(TIDE, other)
        eventually(lambda: f"↑ {other}" in stack.text, "upload")
        eventually(lambda: reconcile(stack)[0] == 0 and naming(queues.waiting(), other), "message in the queue", 60)
    code, sheet = reconcile(stack, "--wait", "60")
    assert (code, sheet["unaccounted"], sheet["accounted"]["succeeded"]) == (0, [], before["succeeded"] + 1)
    assert f"↻ {other}" not in stack.text
    assert [stack.final(key).outcome for key in (UNHEARD, other)] == ["succeeded"] * 2


def test_outputs_lost_before_anybody_had_them_are_made_again(
    embedded_stack: Supervised, described: StackTemplate, lost: Path
):
    stack, key = embedded_stack, UNMIRRORED_TOO
    # By the stack itself.
    stack.mirrored(stack.final(UNMIRRORED, count=2))
    problem = "has succeeded, but this output is neither in the bucket nor in the outputs folder: "
    assert f"↻ {UNMIRRORED} {problem}{lost.relative_to(stack.outputs).as_posix()}: taken up again" in stack.text
    # By the command, while the stack cannot.
    with occupied(stack, described):
        stack.put(TIDE, key)
        stack.mirrored(stack.final(key))
        with stack.paused("runner poll"):
            other = lose(stack, described, key)
            assert kept(stack, key) == [False]
            assert reconcile(stack)[0] == 0
            assert (
                len(
                    naming(
                        Queues(stack.endpoint_url, described.queue_name, described.dead_letter_queue_name).waiting(),
                        key,
                    )
                )
                == 1
            )
    code, before = reconcile(stack, "--wait", "60")
    assert code == 0
    assert other.is_file()
    assert len(stack.ended(key)) == 2
    assert kept(stack, key) == [True]
    # Somebody took it: told, not made again, and not waited for.
    assert lose(stack, described, key) == other
    code, sheet = reconcile(stack, "--wait", "3600")
    (missing,) = sheet["unaccounted"]
    problem += other.relative_to(stack.outputs).as_posix()
    assert (code, missing["key"], missing["problem"]) == (1, key, problem)
    assert sheet["accounted"]["succeeded"] == before["accounted"]["succeeded"] - 1
    assert len(stack.ended(key)) == 2
    # What to do about it is for people to say, by the ID that they are shown.
    told, _ = runner("reconcile", "--data", stack.data).stdout.splitlines()
    unaccounted = told.split()[1]
    assert told == f"✗ {unaccounted} {key} {problem}"
    done = runner("retry", unaccounted, "--data", stack.data)
    name = f"{unaccounted} {key}"
    assert (done.returncode, done.stdout) == (0, f"↻ {name} came anew from the bucket or the inbox\n")
    stack.mirrored(stack.final(key, count=3))
    assert reconcile(stack)[0] == 0  # it has seen the output here, so the next is taken too
    lose(stack, described, key)
    done = runner("forget", unaccounted, "--why", "taken away", "--data", stack.data)
    assert (done.returncode, done.stdout) == (0, f"– {name} is forgotten\n")
    code, sheet = reconcile(stack)
    assert (code, sheet["unaccounted"]) == (0, [])
    assert sheet["accounted"]["forgotten"] == before["accounted"]["forgotten"] + 1


def test_an_event_lost_while_nothing_else_happens_is_missed_too(
    embedded_stack: Supervised, described: StackTemplate, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reconciling, "_FULL_LOOK_S", 6.0)
    monkeypatch.setattr(reconciling, "_GLANCE_S", 0.5)
    stop, key = threading.Event(), f"tide_gauge/mcrl/alone/{TIDE.name}"
    stack, queues = (
        embedded_stack,
        Queues(embedded_stack.endpoint_url, described.queue_name, described.dead_letter_queue_name),
    )
    with unnoticed(stack, described), stack.paused("runner poll"):
        settings = replace(Settings.from_env({}), data=stack.data, endpoint_url=stack.endpoint_url)
        keeper = threading.Thread(target=loop.Keeper(settings, described).run, args=(stop,))
        keeper.start()
        try:
            time.sleep(8)  # so that it looks at once when the file comes, while its event may still be on its way
            stack.put(TIDE, key)
            eventually(lambda: naming(queues.waiting(), key), "a new event", 30)
        finally:
            stop.set()
            keeper.join()
    assert stack.final(key).outcome == "succeeded"


def test_a_dead_letter_that_nobody_saw_gets_its_reason(embedded_stack: Supervised, lost: Path):
    stack = embedded_stack
    run = stack.final(UNSEEN)  # the stack finds it by itself
    assert (run.outcome, run.attempt) == ("dead-lettered", 3)
    assert run.record["error"] is not None
    assert run.record["error"]["message"] == (
        "Its last attempt came to no answer, because the poller or the Lambda ended meanwhile. "
        "`runner retry` tries it again."
    )
    code, before = reconcile(stack)
    assert code == 0
    versions = (UNSEEN, run.record["inputs"][0]["etag"] or ""), version(UNSEEN_TOO)
    assert runner("forget", *map(short_id, versions), "--why", "a test", "--data", stack.data).returncode == 0
    code, after = reconcile(stack)
    assert (code, before["accounted"]["dead-lettered"] - after["accounted"]["dead-lettered"]) == (0, 2)


def test_a_dead_letter_of_two_files_that_nobody_saw_is_one_failure_of_both(embedded_stack: Supervised, lost: Path):
    stack = embedded_stack
    one, two = (stack.final(key) for key in UNSEEN_TOGETHER)
    assert one == two
    assert (one.outcome, one.attempt) == ("dead-lettered", 3)
    assert [item["key"] for item in one.record["inputs"]] == UNSEEN_TOGETHER
    assert one.record["message_id"]
    (row,) = failures(stack, "unseen/buoy")
    assert (row["tried"], row["in_dead_letter_queue"]) == (3, True)
    assert row["error"]["message"].startswith("Its last attempt came to no answer")
    assert runner("forget", row["id"], "--why", "a test", "--data", stack.data).returncode == 0
    assert failures(stack, "unseen/buoy") == []
    assert reconcile(stack)[0] == 0


def test_failures_tell_what_when_where_and_why(stack: Stack, failed: Queues):
    (run,) = stack.ended(TOLD)
    (row,) = failures(stack, TOLD)
    assert row["in_dead_letter_queue"]
    assert (row["file"], row["pipeline"], row["tried"]) == (TOLD, "a2e_buoy_ingest", 3)
    assert row["when"].startswith("20")
    assert row["error"]["phase"] == "inspect"
    assert row["error"]["message"] == (run.record["error"] or {}).get("message")
    shown = runner("failures", "--data", stack.data).stdout
    cells = [[cell.strip() for cell in line.split("│")] for line in shown.splitlines() if "│" in line]
    (at,) = [number for number, (name, *_) in enumerate(cells) if name == row["id"]]
    assert TOLD in cells[at]
    told = [cells[at], *itertools.takewhile(lambda line: not line[0], cells[at + 1 :])]  # it may take several lines
    first = row["error"]["message"].splitlines()[0]
    assert " ".join(line[-1] for line in told) == f"{row['error']['type']}: {first}"
    assert "Try again: `runner retry ID`." in shown


def test_a_retry_has_all_its_attempts_again_and_a_mended_file_succeeds(
    stack: Stack, failed: Queues, described: StackTemplate
):
    one, two = RETRIED
    (row,) = failures(stack, one)
    done = runner("retry", row["id"], "--data", stack.data)
    assert (done.returncode, done.stdout.strip()) == (0, f"↻ {row['id']} {one} is in the queue again")
    again = stack.final(one, count=2)
    assert (again.outcome, again.attempt) == ("dead-lettered", 3)
    assert [(r["id"], r["tried"]) for r in failures(stack, one)] == [(row["id"], 6)]
    # What was wrong is mended: here it is what a key holds, which is no new event's version.
    stack.put(TIDE, one)
    stack.final(one, count=3)
    at_rest(stack, described)
    done = runner("retry", row["id"], "--data", stack.data)
    assert done.returncode == 0, done.stdout
    late = stack.final(one, count=4)
    assert late.outcome == "succeeded", late.record["error"]
    assert late.record["inputs"][0]["named_etag"] == row["etag"]
    assert failures(stack, one) == []
    assert len(failures(stack, two)) == 1
    s3 = clients.local_s3(stack.endpoint_url)
    assert s3.head_object(Bucket=described.source_bucket, Key=one)["ContentLength"] == TIDE.stat().st_size
    assert reconcile(stack)[0] == 0


def test_what_is_forgotten_leaves_the_dead_letter_queue_and_keeps_its_reason(stack: Stack, failed: Queues):
    key = FORGOTTEN
    before = reconcile(stack)[1]["accounted"]
    (row,) = failures(stack, key)
    done = runner("forget", row["id"], "--why", "a test recording", "--data", stack.data)
    assert (done.returncode, done.stdout.strip()) == (0, f"– {row['id']} {key} is forgotten")
    assert not naming(failed.dead(), key)
    states = json.loads(runner("status", "--json", "--data", stack.data).stdout)
    assert [(s["outcome"], s["text"]) for s in states if s["file"] == key] == [
        ("forgotten", "forgotten: a test recording")
    ]
    after = reconcile(stack)[1]["accounted"]
    assert after["forgotten"] - before["forgotten"] == before["dead-lettered"] - after["dead-lettered"] == 1
    done = runner("forget", row["id"], "--why", "again", "--data", stack.data)
    assert done.returncode == 2
    assert (
        f"error: No failure has the ID '{row['id']}'. `runner failures` and `runner reconcile` list them."
        in done.stderr
    )


def test_a_message_that_is_no_event_is_a_failure_too(stack: Stack, failed: Queues):
    name = short_id(version(NO_EVENT))
    (row,) = [row for row in failures(stack, "message ") if row["id"] == name]
    assert row["in_dead_letter_queue"]
    assert row["error"]["message"].startswith("The message is not JSON")
    assert runner("retry", name, "--data", stack.data).returncode == 0
    eventually(lambda: [r for r in failures(stack, "message ") if (r["id"], r["tried"]) == (name, 6)], "second end", 30)
    assert runner("forget", name, "--why", "not ours", "--data", stack.data).returncode == 0
    assert reconcile(stack)[0] == 0


def test_a_message_of_two_objects_waits_for_both(embedded_stack: Supervised, described: StackTemplate):
    one, two = (f"two/buoy.z0{n}.00.20201201.000000.zip" for n in (5, 6))  # two locations, so two runs
    stack, queues = (
        embedded_stack,
        Queues(embedded_stack.endpoint_url, described.queue_name, described.dead_letter_queue_name),
    )
    before = reconcile(stack, "--wait", "60")[1]["accounted"]
    queues.send(of_both(stack, described, (one, two)))
    for key in (one, two):
        assert stack.final(key).outcome == "dead-lettered"
    eventually(lambda: naming(queues.dead(), one), "dead letter")
    first, second = [row for row in failures(stack, "two/") if row["in_dead_letter_queue"]]
    # Its message has to stay for the other.
    assert runner("forget", first["id"], "--why", "a test", "--data", stack.data).returncode == 0
    (left,) = failures(stack, "two/")
    assert (left["id"], left["in_dead_letter_queue"]) == (second["id"], True)
    # Tried again it brings both.
    assert runner("retry", second["id"], "--data", stack.data).returncode == 0
    for key in (one, two):
        assert stack.final(key, count=2 if key == second["file"] else 3).outcome == "dead-lettered"
    code, sheet = reconcile(stack, "--wait", "60")
    assert (code, sheet["accounted"]["dead-lettered"]) == (0, before["dead-lettered"] + 2)
    for failure in (first, second):
        assert runner("forget", failure["id"], "--why", "a test", "--data", stack.data).returncode == 0
    assert not [message for key in (one, two) for message in naming(queues.dead(), key)]
    code, sheet = reconcile(stack)
    assert (code, sheet["accounted"]["forgotten"]) == (0, before["forgotten"] + 2)


def test_without_failures_there_is_nothing_to_do(tmp_path: Path):
    assert runner("failures", "--data", tmp_path).stdout.strip() == "Nothing has failed for good."
    done = runner("retry", "--data", tmp_path)
    assert done.returncode == 2
    assert "Say which failures to try again: `runner retry ID …`, or `runner retry --all`." in done.stderr
    done = runner("forget", "12345678", "--why", " ", "--data", tmp_path)
    assert done.returncode == 2
    assert "--why is empty. Say why these files are not needed: it is kept in the history." in done.stderr
