"""Nothing is ever lost, and one can see it: the balance sheet, failures, and what people do about them."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.aws import clients
from runner.aws.s3 import object_etag, sha256_of, upload
from runner.aws.sqs import Message, Queues
from runner.messages.run_record import Version
from runner.messages.run_summary import short_id
from runner.messages.s3_events import object_created
from runner.template.stack_template import StackTemplate
from runner.testing.stacks import Stack, eventually
from tests.support.commands import command, reconcile
from tests.support.commands import failures_of as failures
from tests.support.stacks import TIDE, Supervised

BAD = b"torn"
TOLD = "failures/buoy.z05.00.20201201.000000.zip"
RETRIED = [f"tide_gauge/mcrl/retry/tide_20210{n}01000000.log" for n in (1, 2)]
FORGOTTEN = "forget/buoy.z05.00.20201201.000000.zip"
NO_EVENT = "no event at all: é"
# Of days of their own, and so with outputs of their own.
UNHEARD, REMOVED = (f"tide_gauge/mcrl/lost/tide_20211{n}01000000.log" for n in (1, 2))
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


def remove_output(stack: Stack, described: StackTemplate, key: str) -> Path:
    """Remove an output of a key from the bucket and from the outputs folder, as a person would."""
    removed = stack.mirrored(stack.finished(key)[-1])[0]
    s3, name = clients.local_s3(stack.endpoint_url), removed.relative_to(stack.outputs).as_posix()
    s3.delete_object(Bucket=described.destination_bucket, Key=name)
    removed.unlink()
    return removed


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
def lost(embedded_stack: Supervised, described: StackTemplate) -> None:
    """An event and two last attempts, lost at the same time: the stack looks at most every 30 s."""
    stack = embedded_stack
    with unnoticed(stack, described):
        stack.put(TIDE, UNHEARD)
        eventually(lambda: f"↑ {UNHEARD}" in stack.text, "upload")
        queues = Queues(stack.endpoint_url, described.queue_name, described.dead_letter_queue_name)
        assert not naming(queues.waiting(), UNHEARD)
        assert not stack.runs_of(UNHEARD)
    leave_unseen(stack, described)
    for key in (UNHEARD, UNSEEN, *UNSEEN_TOGETHER):
        stack.final(key, patience_s=100)
    unseen = version(UNSEEN_TOO)
    eventually(lambda: stack.state.versions.outcome(unseen) == "dead-lettered", "outcome of the message", 100)


def stored(accounted: dict[str, int]) -> int:
    """Return how many files have stored outputs: the tide's replace those of the same file below other folders."""
    return accounted["succeeded"] + accounted["replaced"]


def test_every_end_is_accounted_for(stack: Stack):
    before = reconcile(stack, "--wait", "60")[1]["accounted"]
    stack.put(TIDE, f"tide_gauge/mcrl/balance/{TIDE.name}")
    stack.put(b"?", "balance/unknown.bin")
    stack.put(b"torn", "balance/buoy.z05.00.20201201.000000.zip")
    code, sheet = reconcile(stack, "--wait", "90")
    assert (code, sheet["unaccounted"]) == (0, [])
    more = {place: count - before[place] for place, count in sheet["accounted"].items()}
    assert stored(more) == 1
    assert more | {"succeeded": 1, "replaced": 0} == {
        "succeeded": 1, "replaced": 0, "skipped": 1, "dead-lettered": 1, "forgotten": 0, "in progress": 0, "refused": 0,
    }  # fmt: skip
    assert "0 unaccounted for" in command("reconcile", "--data", stack.data).stdout


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
    # A correction that is taken back runs again too, and leaves the outputs as other tests expect them.
    stack.put(TIDE, key)
    assert stack.final(key, count=3).outcome == "succeeded"


def test_an_object_whose_event_is_lost_is_found_and_processed(
    embedded_stack: Supervised, described: StackTemplate, lost: None
):
    stack, queues = (
        embedded_stack,
        Queues(embedded_stack.endpoint_url, described.queue_name, described.dead_letter_queue_name),
    )
    # By the stack itself.
    assert stack.final(UNHEARD).outcome == "succeeded"
    problem = "is in the source bucket without a message in the queue"
    assert f"↻ {UNHEARD} {problem}: re-queued" in stack.text
    # By the command, while the stack cannot.
    before = reconcile(stack, "--wait", "60")[1]["accounted"]
    other = f"tide_gauge/mcrl/unheard/{TIDE.name}"
    with unnoticed(stack, described), stack.paused("runner poll"):
        stack.put(TIDE, other)
        eventually(lambda: f"↑ {other}" in stack.text, "upload")
        eventually(lambda: reconcile(stack)[0] == 0 and naming(queues.waiting(), other), "message in the queue", 60)
    code, sheet = reconcile(stack, "--wait", "60")
    assert (code, sheet["unaccounted"], stored(sheet["accounted"])) == (0, [], stored(before) + 1)
    assert f"↻ {other}" not in stack.text
    assert [stack.final(key).outcome for key in (UNHEARD, other)] == ["succeeded"] * 2


def test_a_removed_output_is_reported_until_a_person_decides(embedded_stack: Supervised, described: StackTemplate):
    stack, key = embedded_stack, REMOVED
    stack.put(TIDE, key)
    stack.final(key)
    code, before = reconcile(stack, "--wait", "60")
    assert code == 0
    removed = remove_output(stack, described, key)
    # It is not made again by itself, and not waited for.
    code, answer = reconcile(stack, "--wait", "3600")
    (missing,) = answer["unaccounted"]
    problem = f"succeeded, but its output {removed.relative_to(stack.outputs).as_posix()} is gone"
    assert (code, missing["key"], missing["problem"]) == (1, key, problem)
    assert answer["accounted"]["succeeded"] == before["accounted"]["succeeded"] - 1
    assert len(stack.finished(key)) == 1
    # All commands agree.
    (row,) = json.loads(command("status", key, "--json", "--data", stack.data).stdout)
    assert (row["outcome"], row["text"]) == ("unaccounted", problem)
    *_, shown, _ = command("reconcile", "--data", stack.data).stdout.splitlines()
    name = shown.split()[1]
    assert shown == f"✗ {name} {key} {problem}"
    # A person decides, by the ID that is shown.
    done = command("retry", name, "--data", stack.data)
    assert (done.returncode, done.stdout) == (0, f"↻ {name} {key} uploaded or queued again\n")
    assert stack.mirrored(stack.final(key, count=2))[0] == removed
    assert removed.is_file()
    assert reconcile(stack, "--wait", "60")[0] == 0
    remove_output(stack, described, key)
    done = command("forget", name, "--why", "not needed", "--data", stack.data)
    assert (done.returncode, done.stdout) == (0, f"– {name} {key} is forgotten\n")
    code, answer = reconcile(stack)
    assert (code, answer["unaccounted"]) == (0, [])
    assert answer["accounted"]["forgotten"] == before["accounted"]["forgotten"] + 1


def test_a_dead_letter_that_nobody_saw_gets_its_reason(
    embedded_stack: Supervised, lost: None, described: StackTemplate
):
    stack = embedded_stack
    run = stack.final(UNSEEN)  # the stack finds it by itself
    assert (run.outcome, run.attempt) == ("dead-lettered", described.max_receive_count)
    assert run.record["error"] is not None
    assert run.record["error"]["message"] == (
        "Its last attempt returned no answer, because a process of the stack was killed. `runner retry` runs it again."
    )
    code, before = reconcile(stack)
    assert code == 0
    versions = (UNSEEN, run.record["inputs"][0]["etag"] or ""), version(UNSEEN_TOO)
    assert command("forget", *map(short_id, versions), "--why", "a test", "--data", stack.data).returncode == 0
    code, after = reconcile(stack)
    assert (code, before["accounted"]["dead-lettered"] - after["accounted"]["dead-lettered"]) == (0, 2)


def test_a_dead_letter_of_two_files_that_nobody_saw_is_one_failure_of_both(
    embedded_stack: Supervised, lost: None, described: StackTemplate
):
    stack = embedded_stack
    one, two = (stack.final(key) for key in UNSEEN_TOGETHER)
    assert one == two
    assert (one.outcome, one.attempt) == ("dead-lettered", described.max_receive_count)
    assert [item["key"] for item in one.record["inputs"]] == UNSEEN_TOGETHER
    assert one.record["message_id"]
    (row,) = failures(stack, "unseen/buoy")
    assert (row["tried"], row["in_dead_letter_queue"]) == (described.max_receive_count, True)
    assert row["error"]["message"].startswith("Its last attempt returned no answer")
    assert command("forget", row["id"], "--why", "a test", "--data", stack.data).returncode == 0
    assert failures(stack, "unseen/buoy") == []
    assert reconcile(stack)[0] == 0


def test_failures_tell_what_when_where_and_why(stack: Stack, failed: Queues, described: StackTemplate):
    (run,) = stack.finished(TOLD)
    (row,) = failures(stack, TOLD)
    assert row["in_dead_letter_queue"]
    assert (row["file"], row["pipeline"], row["tried"]) == (TOLD, "a2e_buoy_ingest", described.max_receive_count)
    assert row["when"].startswith("20")
    assert row["error"]["phase"] == "inspect"
    assert row["error"]["message"] == (run.record["error"] or {}).get("message")
    shown = command("failures", "--data", stack.data).stdout
    cells = [[cell.strip() for cell in line.split("│")] for line in shown.splitlines() if "│" in line]
    (at,) = [number for number, (name, *_) in enumerate(cells) if name == row["id"]]
    assert TOLD in cells[at]
    told = [cells[at], *itertools.takewhile(lambda line: not line[0], cells[at + 1 :])]  # it may take several lines
    first = row["error"]["message"].splitlines()[0]
    assert " ".join(line[-1] for line in told) == f"{row['error']['type']}: {first}"
    assert "Retry: `runner retry ID`." in shown


def test_a_retry_has_all_its_attempts_again_and_a_mended_file_succeeds(
    stack: Stack, failed: Queues, described: StackTemplate
):
    one, two = RETRIED
    (row,) = failures(stack, one)
    done = command("retry", row["id"], "--data", stack.data)
    assert (done.returncode, done.stdout.strip()) == (0, f"↻ {row['id']} {one} in the queue again")
    again = stack.final(one, count=2)
    assert (again.outcome, again.attempt) == ("dead-lettered", described.max_receive_count)
    assert [(r["id"], r["tried"]) for r in failures(stack, one)] == [(row["id"], 2 * described.max_receive_count)]
    # What was wrong is mended: here it is what a key holds, which is no new event's version.
    stack.put(TIDE, one)
    stack.final(one, count=3)
    at_rest(stack, described)
    done = command("retry", row["id"], "--data", stack.data)
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
    done = command("forget", row["id"], "--why", "a test recording", "--data", stack.data)
    assert (done.returncode, done.stdout.strip()) == (0, f"– {row['id']} {key} is forgotten")
    assert not naming(failed.dead(), key)
    states = json.loads(command("status", "--json", "--data", stack.data).stdout)
    assert [(s["outcome"], s["text"]) for s in states if s["file"] == key] == [
        ("forgotten", "forgotten: a test recording")
    ]
    after = reconcile(stack)[1]["accounted"]
    assert after["forgotten"] - before["forgotten"] == before["dead-lettered"] - after["dead-lettered"] == 1
    done = command("forget", row["id"], "--why", "again", "--data", stack.data)
    assert done.returncode == 2
    assert (
        f"error: No failure has the ID '{row['id']}'. `runner failures` and `runner reconcile` list them."
        in done.stderr
    )


def test_a_message_that_is_no_event_is_a_failure_too(stack: Stack, failed: Queues, described: StackTemplate):
    name, tried = short_id(version(NO_EVENT)), 2 * described.max_receive_count
    (row,) = [row for row in failures(stack, "message ") if row["id"] == name]
    assert row["in_dead_letter_queue"]
    assert row["error"]["message"].startswith("The message is not JSON")
    assert command("retry", name, "--data", stack.data).returncode == 0
    eventually(
        lambda: [r for r in failures(stack, "message ") if (r["id"], r["tried"]) == (name, tried)], "second end", 30
    )
    assert command("forget", name, "--why", "not ours", "--data", stack.data).returncode == 0
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
    assert command("forget", first["id"], "--why", "a test", "--data", stack.data).returncode == 0
    (left,) = failures(stack, "two/")
    assert (left["id"], left["in_dead_letter_queue"]) == (second["id"], True)
    # Tried again it brings both.
    assert command("retry", second["id"], "--data", stack.data).returncode == 0
    for key in (one, two):
        assert stack.final(key, count=2).outcome == "dead-lettered"
    code, sheet = reconcile(stack, "--wait", "60")
    assert (code, sheet["accounted"]["dead-lettered"]) == (0, before["dead-lettered"] + 2)
    for failure in (first, second):
        assert command("forget", failure["id"], "--why", "a test", "--data", stack.data).returncode == 0
    assert not [message for key in (one, two) for message in naming(queues.dead(), key)]
    code, sheet = reconcile(stack)
    assert (code, sheet["accounted"]["forgotten"]) == (0, before["forgotten"] + 2)
