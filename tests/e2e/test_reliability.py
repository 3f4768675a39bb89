"""Nothing is ever lost, and one can see it: the balance sheet, failures, and what people do about them."""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import SAMPLES, Supervised, runner, running

from runner import aws, uploads
from runner import reconcile as reconciling
from runner.backends import Stack, eventually
from runner.messages import object_event
from runner.queues import Queues
from runner.settings import Settings
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
    time.sleep(1.5)  # a long poll under way ends unseen after a second; till then it would take a message
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):  # the body may have ended the stack
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
        s3, queues = aws.local_s3(stack.endpoint_url), Queues(stack.endpoint_url, described)
        s3.put_bucket_notification_configuration(Bucket=described.source_bucket, NotificationConfiguration={})
        stack.put(TIDE, KEY)
        eventually(lambda: f"↑ {KEY}" in stack.text, "upload")
        assert queues.waiting() == []
        assert not stack.runs_of(KEY)
        # By the stack itself, which looks through everything at most every 30 s.
        assert stack.final(KEY, patience_s=100).outcome == "succeeded"
        problem = "is in the source bucket without a message in the queue"
        assert f"↻ {KEY} {problem}: taken up again" in stack.text
        # By the command, while the stack cannot.
        other = f"tide_gauge/mcrl/other/{TIDE.name}"
        with paused(stack, "runner poll"):
            stack.put(TIDE, other)
            eventually(lambda: f"↑ {other}" in stack.text, "upload")
            eventually(lambda: reconcile(stack)[0] == 0 and queues.waiting(), "message in the queue", 60)
        code, sheet = reconcile(stack, "--wait", "60")
        assert (code, sheet["unaccounted"], sheet["accounted"]["succeeded"]) == (0, [], 2)
        assert f"↻ {other}" not in stack.text
        assert [stack.final(key).outcome for key in (KEY, other)] == ["succeeded"] * 2


def test_an_event_lost_while_nothing_else_happens_is_missed_too(
    tmp_path: Path, described: StackTemplate, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reconciling, "_FULL_LOOK_S", 6.0)
    monkeypatch.setattr(reconciling, "_GLANCE_S", 0.5)
    stop = threading.Event()
    with running(tmp_path) as stack, paused(stack, "runner poll"):
        s3, queues = aws.local_s3(stack.endpoint_url), Queues(stack.endpoint_url, described)
        s3.put_bucket_notification_configuration(Bucket=described.source_bucket, NotificationConfiguration={})
        settings = replace(Settings.from_env({}), data=tmp_path, endpoint_url=stack.endpoint_url)
        keeper = threading.Thread(target=reconciling.Keeper(settings, described).run, args=(stop,))
        keeper.start()
        try:
            time.sleep(8)  # so that it looks at once when the file comes, while its event may still be on its way
            stack.put(TIDE, KEY)
            eventually(queues.waiting, "a new event", 30)
        finally:
            stop.set()
            keeper.join()


def test_a_touched_file_is_sent_again_if_a_watcher_died_after_another_version(
    stack: Stack, described: StackTemplate, tmp_path: Path
):
    key, s3 = f"tide_gauge/mcrl/touched/{TIDE.name}", aws.local_s3(stack.endpoint_url)
    path = stack.put(TIDE, key)
    etag = stack.final(key).record["inputs"][0]["etag"]
    # What a watcher leaves that was killed before it entered its upload.
    (tmp_path / "other").write_bytes(TIDE.read_bytes() + b"\n")
    other = uploads.upload(s3, described.source_bucket, key, tmp_path / "other", uploads.sha256_of(tmp_path / "other"))
    assert aws.object_etag(s3, described.source_bucket, key) == other != etag
    path.touch()
    eventually(lambda: aws.object_etag(s3, described.source_bucket, key) == etag, "the inbox's version in the bucket")


def test_outputs_lost_before_anybody_had_them_are_made_again(tmp_path: Path, described: StackTemplate):
    with running(tmp_path) as stack:
        s3 = aws.local_s3(stack.endpoint_url)

        def lose() -> Path:
            """As if LocalStack had died between the end of the run and the mirror."""
            lost = stack.mirrored(stack.ended(KEY)[-1])[0]
            s3.delete_object(Bucket=described.destination_bucket, Key=lost.relative_to(stack.outputs).as_posix())
            lost.unlink()
            return lost

        stack.put(TIDE, KEY)
        stack.final(KEY)
        lost = lose()
        assert [kept for *_, kept in stack.history.last_runs()] == [False]
        # By the stack itself, which looks through everything at most every 30 s.
        stack.mirrored(stack.final(KEY, count=2, patience_s=100))
        problem = "has succeeded, but this output is neither in the bucket nor in the outputs folder: "
        problem += lost.relative_to(stack.outputs).as_posix()
        assert f"↻ {KEY} {problem}: taken up again" in stack.text
        # By the command, while the stack cannot.
        with paused(stack, "runner poll"):
            assert lose() == lost
            assert [kept for *_, kept in stack.history.last_runs()] == [False]
            assert reconcile(stack)[0] == 0
            assert len(Queues(stack.endpoint_url, described).waiting()) == 1
        code, sheet = reconcile(stack, "--wait", "60")
        assert (code, sheet["accounted"]["succeeded"]) == (0, 1)
        assert lost.is_file()
        assert len(stack.ended(KEY)) == 3
        assert [kept for *_, kept in stack.history.last_runs()] == [True]
        # Somebody took it: told, not made again, and not waited for.
        lose()
        code, sheet = reconcile(stack, "--wait", "3600")
        (missing,) = sheet["unaccounted"]
        assert (code, missing["key"], missing["problem"]) == (1, KEY, problem)
        assert len(stack.ended(KEY)) == 3
        # What to do about it is for people to say, by the ID that they are shown.
        told, _ = runner("reconcile", "--data", stack.data).stdout.splitlines()
        unaccounted = told.split()[1]
        assert told == f"✗ {unaccounted} {KEY} {problem}"
        done = runner("retry", unaccounted, "--data", stack.data)
        name = f"{unaccounted} {KEY}"
        assert (done.returncode, done.stdout) == (0, f"↻ {name} came anew from the bucket or the inbox\n")
        stack.mirrored(stack.final(KEY, count=4))
        assert reconcile(stack)[0] == 0  # it has seen the output here, so the next is taken too
        lose()
        done = runner("forget", unaccounted, "--why", "taken away", "--data", stack.data)
        assert (done.returncode, done.stdout) == (0, f"– {name} is forgotten\n")
        code, sheet = reconcile(stack)
        assert (code, sheet["unaccounted"], sheet["accounted"]["forgotten"]) == (0, [], 1)


def test_without_retain_a_file_stays_until_its_outputs_outlive_localstack(tmp_path: Path):
    (tmp_path / "outputs").mkdir()
    in_the_way = tmp_path / "outputs" / "data"
    in_the_way.touch()  # so that no NetCDF file can come below it
    with running(tmp_path, "--no-retain", "--polling") as stack:
        path = stack.put(TIDE, KEY)
        assert stack.final(KEY).outcome == "succeeded"
        stack.put(b"?", "later.bin")
        eventually(lambda: "↑ later.bin" in stack.text, "another look at the inbox")
        assert path.exists()
        pid = stack.children()["localstack_main"]
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: stack.children().get("localstack_main", pid) != pid, "new LocalStack")
        in_the_way.unlink()
        stack.mirrored(stack.final(KEY, count=2))
        eventually(lambda: not path.exists(), "removal of the copy")


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


BAD = b"torn"


def failures(stack: Stack, name: str) -> list[dict[str, Any]]:
    """`runner failures` for keys that contain this."""
    done = runner("failures", "--json", "--data", stack.data)
    return [row for row in json.loads(done.stdout) if name in row["file"]]


def test_failures_tell_what_when_where_and_why(stack: Stack):
    key = "failures/buoy.z05.00.20201201.000000.zip"
    stack.put(BAD, key)
    run = stack.final(key)
    (row,) = eventually(lambda: [r for r in failures(stack, key) if r["in_dead_letter_queue"]], "dead letter")
    assert (row["file"], row["pipeline"], row["tried"]) == (key, "a2e_buoy_ingest", 3)
    assert row["when"].startswith("20")
    assert row["error"]["phase"] == "inspect"
    assert row["error"]["message"] == (run.record["error"] or {}).get("message")
    shown = runner("failures", "--data", stack.data).stdout
    cells = [[cell.strip() for cell in line.split("│")] for line in shown.splitlines() if "│" in line]
    (at,) = [number for number, (name, *_) in enumerate(cells) if name == row["id"]]
    assert key in cells[at]
    told = [cells[at], *itertools.takewhile(lambda line: not line[0], cells[at + 1 :])]  # it may take several lines
    first = row["error"]["message"].splitlines()[0]
    assert " ".join(line[-1] for line in told) == f"{row['error']['type']}: {first}"
    assert "Try again: `runner retry ID`." in shown


def test_a_retry_has_all_its_attempts_again_and_a_mended_file_succeeds(stack: Stack, described: StackTemplate):
    one, two = (f"a2e_buoy_ingest/humboldt/retry/buoy.z05.00.2020120{n}.000000.zip" for n in (1, 2))
    for key in (one, two):
        stack.put(BAD, key)
        stack.final(key)
    (row,) = failures(stack, one)
    done = runner("retry", row["id"], "--data", stack.data)
    assert (done.returncode, done.stdout.strip()) == (0, f"↻ {row['id']} {one} is in the queue again")
    again = stack.final(one, count=2)
    assert (again.outcome, again.attempt) == ("dead-lettered", 3)
    assert [(r["id"], r["tried"]) for r in failures(stack, one)] == [(row["id"], 6)]
    # What was wrong is mended: here it is what a key holds, which is no new event's version.
    buoy = next((SAMPLES / "a2e_buoy_ingest" / "humboldt").glob("*.zip"))
    s3, queues = aws.local_s3(stack.endpoint_url), Queues(stack.endpoint_url, described)
    stack.put(buoy, one)
    stack.final(one, count=3)
    eventually(lambda: not queues.waiting(), "empty queue")
    done = runner("retry", row["id"], "--data", stack.data)
    assert done.returncode == 0, done.stdout
    late = stack.final(one, count=4)
    assert late.outcome == "succeeded", late.record["error"]
    assert late.record["inputs"][0]["named_etag"] == row["etag"]
    assert failures(stack, one) == []
    assert len(failures(stack, two)) == 1
    assert s3.head_object(Bucket=described.source_bucket, Key=one)["ContentLength"] == buoy.stat().st_size
    assert reconcile(stack)[0] == 0


def test_what_is_forgotten_leaves_the_dead_letter_queue_and_keeps_its_reason(stack: Stack, described: StackTemplate):
    key = "forget/buoy.z05.00.20201201.000000.zip"
    stack.put(BAD, key)
    stack.final(key)
    queues = Queues(stack.endpoint_url, described)
    eventually(lambda: [m for m in queues.dead() if m.versions[0][0] == key], "dead letter")
    before = reconcile(stack)[1]["accounted"]
    (row,) = failures(stack, key)
    done = runner("forget", row["id"], "--why", "a test recording", "--data", stack.data)
    assert (done.returncode, done.stdout.strip()) == (0, f"– {row['id']} {key} is forgotten")
    assert not [message for message in queues.dead() if message.versions[0][0] == key]
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


def test_a_message_that_is_no_event_is_a_failure_too(stack: Stack, described: StackTemplate):
    queues = Queues(stack.endpoint_url, described)
    queues.send("no event at all: é")
    (row,) = eventually(lambda: [r for r in failures(stack, "message ") if r["in_dead_letter_queue"]], "failure", 30)
    assert row["error"]["message"].startswith("The message is not JSON")
    assert runner("retry", row["id"], "--data", stack.data).returncode == 0
    eventually(lambda: [r for r in failures(stack, "message ") if r["tried"] == 6], "second end", 30)
    assert failures(stack, "message ")[0]["id"] == row["id"]
    assert runner("forget", row["id"], "--why", "not ours", "--data", stack.data).returncode == 0
    assert reconcile(stack)[0] == 0


def test_a_message_of_two_objects_waits_for_both(tmp_path: Path, described: StackTemplate):
    one, two = (f"two/buoy.z0{n}.00.20201201.000000.zip" for n in (5, 6))  # two locations, so two runs
    bucket = described.source_bucket
    with running(tmp_path) as stack:
        s3, queues = aws.local_s3(stack.endpoint_url), Queues(stack.endpoint_url, described)
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
        etags = [s3.put_object(Bucket=bucket, Key=key, Body=BAD)["ETag"].strip('"') for key in (one, two)]
        events = [json.loads(object_event(bucket, key, etag)) for key, etag in zip((one, two), etags, strict=True)]
        queues.send(json.dumps({"Records": [record for event in events for record in event["Records"]]}))
        for key in (one, two):
            assert stack.final(key).outcome == "dead-lettered"
        first, second = eventually(lambda: [r for r in failures(stack, "two/") if r["in_dead_letter_queue"]], "both")
        # Its message has to stay for the other.
        assert runner("forget", first["id"], "--why", "a test", "--data", stack.data).returncode == 0
        assert [failure["id"] for failure in failures(stack, "two/")] == [second["id"]]
        assert failures(stack, "two/")[0]["in_dead_letter_queue"]
        # Tried again it brings both.
        assert runner("retry", second["id"], "--data", stack.data).returncode == 0
        for key in (one, two):
            assert stack.final(key, count=2 if key == second["file"] else 3).outcome == "dead-lettered"
        code, sheet = reconcile(stack, "--wait", "60")
        assert (code, sheet["accounted"]["dead-lettered"]) == (0, 2)
        for failure in (first, second):
            assert runner("forget", failure["id"], "--why", "a test", "--data", stack.data).returncode == 0
        assert queues.dead() == []
        code, sheet = reconcile(stack)
        assert (code, sheet["accounted"]["forgotten"]) == (0, 2)


def test_failures_outlive_localstack_and_are_tried_again_from_the_inbox(tmp_path: Path, described: StackTemplate):
    kept, gone, changed = (f"lost/buoy.z05.00.2020120{n}.000000.zip" for n in (1, 2, 3))
    with running(tmp_path) as stack:
        for key in (kept, gone, changed):
            stack.put(BAD, key)
        for key in (kept, gone, changed):
            stack.final(key)
    done = runner("retry", "--all", "--data", tmp_path)
    assert done.returncode == 2
    assert f"error: No stack runs on {tmp_path}, so nothing can be tried. `runner up`, then this again." in done.stderr
    rows = {row["file"]: row for row in json.loads(runner("failures", "--json", "--data", tmp_path).stdout)}
    assert {row["in_dead_letter_queue"] for row in rows.values()} == {None}
    (tmp_path / "inbox" / gone).unlink()
    with running(tmp_path) as stack:
        assert Queues(stack.endpoint_url, described).dead() == []
        assert len(failures(stack, "lost/")) == 3
        assert reconcile(stack)[1]["accounted"]["dead-lettered"] == 3
        (stack.inbox / changed).write_bytes(b"torn too")
        stack.final(changed, count=2)
        done = runner("retry", *(rows[key]["id"] for key in (kept, gone, changed)), "--data", tmp_path)
        assert done.returncode == 1
        assert f"↻ {rows[kept]['id']} {kept} came anew from the bucket or the inbox" in done.stdout
        assert (
            f"{gone}: LocalStack has lost it, and it is not in {stack.inbox} any more. Put it there again."
            in done.stdout
        )
        assert f"{changed}: LocalStack has lost it, and the file in the inbox has changed since" in done.stdout
        assert stack.final(kept, count=2).outcome == "dead-lettered"
        assert {row["file"] for row in failures(stack, "lost/")} == {kept, gone, changed}
        assert reconcile(stack)[0] == 0


def test_without_failures_there_is_nothing_to_do(tmp_path: Path):
    assert runner("failures", "--data", tmp_path).stdout.strip() == "Nothing has failed for good."
    done = runner("retry", "--data", tmp_path)
    assert done.returncode == 2
    assert "Say which failures to try again: `runner retry ID …`, or `runner retry --all`." in done.stderr
    done = runner("forget", "12345678", "--why", " ", "--data", tmp_path)
    assert done.returncode == 2
    assert "--why is empty. Say why these files are not needed: it is kept in the history." in done.stderr


def test_a_flood_tells_how_many_files_wait_and_a_restart_what_it_takes_up(tmp_path: Path):
    with running(tmp_path) as stack, paused(stack, "aws-lambda-rie"):
        for number in range(40):
            stack.put(TIDE, f"tide_gauge/mcrl/flood/{number}/{TIDE.name}")
        eventually(lambda: "files wait" in stack.text, "word of the backlog", 30)
        stack.process.kill()
        stack.process.wait()
    with running(tmp_path) as again:
        code, sheet = reconcile(again, "--wait", "100")
        assert (code, sheet["accounted"]["succeeded"], sheet["accounted"]["in progress"]) == (0, 40, 0)
        assert "files again that had not come to an end" in again.text
