"""The commands that list, save, replay and backfill events."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runner.aws import clients
from runner.state.runs import Run
from runner.testing import assert_datasets_match
from runner.testing.stacks import environment, eventually
from tests.support.commands import command
from tests.support.stacks import SHIPPED, TIDE, Supervised, runner

KEY = "replay/tide_20212501000000.log"  # of a separate day, and so with separate outputs
OWN_KEY = f"tide_gauge/mcrl/{TIDE.name}"
ALL = ("-n", "100000")


@pytest.fixture(scope="module")
def stack(embedded_stack: Supervised) -> Supervised:
    """Return the shared stack, with a file whose event is the newest."""
    embedded_stack.put(TIDE, OWN_KEY)
    embedded_stack.final(OWN_KEY)
    embedded_stack.put(TIDE, KEY)
    embedded_stack.final(KEY)
    return embedded_stack


@pytest.fixture(scope="module")
def number(stack: Supervised) -> int:
    """Return that event's number."""
    entries = json.loads(command("events", "--data", stack.data, "--json", *ALL).stdout)
    return next(entry["id"] for entry in entries if KEY in str(entry["body"]))


def test_every_event_is_listed_with_its_outcome(stack: Supervised):
    assert f"✔ succeeded    {KEY}" in command("events", "--data", stack.data).stdout
    assert "s3:TestEvent (nothing to run)" in command("events", "--data", stack.data, *ALL).stdout


def test_a_saved_event_has_the_form_that_the_handler_receives(stack: Supervised, number: int, tmp_path: Path):
    path = tmp_path / "saved" / "tide.json"
    assert command("events", "save", str(number), path, "--data", stack.data).returncode == 0
    (record,) = json.loads(path.read_text())["Records"]
    assert record["eventSource"] == "aws:sqs"
    assert json.loads(record["body"])["Records"][0]["s3"]["object"]["key"] == KEY
    again = command("events", "save", str(number), path, "--data", stack.data)
    assert (again.returncode, again.stderr) == (
        2, f"error: {path} already exists. Remove it, or choose another name.\n"
    )  # fmt: skip


def test_a_replayed_event_runs_again(stack: Supervised, number: int, tmp_path: Path):
    before = stack.finished(KEY)
    made = stack.mirrored(before[-1])
    for path in made:  # the second run's outputs have the same names
        shutil.copy(path, tmp_path)
    done = command("replay", str(number), "--data", stack.data, "--json")
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(done.stdout)
    assert (run["status"], run["inputs"][0]["key"]) == ("succeeded", KEY)
    assert len(stack.finished(KEY)) == len(before) + 1
    assert stack.mirrored(stack.finished(KEY)[-1]) == made
    assert sorted(path.suffix for path in made) == [".nc", ".png"]
    for path in made:
        if path.suffix == ".nc":
            assert_datasets_match(path, tmp_path / path.name)
        else:
            assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_a_breakpoint_stops_a_direct_replay(stack: Supervised, number: int):
    commands = "b pipelines/tide_gauge/pipeline.py:18\nc\np 'stopped at', sorted(dataset.data_vars)[0]\nc\nq\n"
    done = subprocess.run(
        [sys.executable, "-m", "pdb", "-m", "runner", "replay", str(number), "--direct", "--data", str(stack.data)],
        input=commands, capture_output=True, text=True, env=environment(), timeout=100, check=False,
    )  # fmt: skip
    assert "('stopped at', 'battery_voltage')" in done.stdout, done.stdout + done.stderr
    assert f"✔ {KEY}: 1 nc, 1 png" in done.stdout


def test_a_missing_event_is_an_error(stack: Supervised):
    done = command("replay", "999999999", "--data", stack.data)
    assert (done.returncode, done.stderr) == (
        2, f"error: There is no event 999999999 in {stack.data / 'state'}. `runner events` lists them.\n"
    )  # fmt: skip


def fill(stack: Supervised, folder: str, count: int) -> list[str]:
    """Store objects that match no pipeline: each is skipped once, and again only by a backfill."""
    s3 = clients.local_s3(stack.endpoint_url)
    keys = [f"{folder}/{number:03} ü+.x" for number in range(count)]
    for key in keys:
        s3.put_object(Bucket=SHIPPED.source_bucket, Key=key, Body=b"x")
    eventually(lambda: all(runs(stack, key) for key in keys), "first runs")
    return keys


def runs(stack: Supervised, key: str) -> list[Run]:
    return [run for run in stack.finished(key) if run.outcome == "skipped"]


def test_a_backfill_sends_events_for_a_prefix_and_for_a_file(stack: Supervised):
    keys = fill(stack, "lidar/a", 3)
    other = fill(stack, "lidar/b", 1)[0]
    before = len(stack.finished(OWN_KEY))
    done = command("backfill", "lidar/a", TIDE, "--rate", "50", "--data", stack.data)
    assert (done.returncode, "4 events sent." in done.stdout) == (0, True), done.stdout + done.stderr
    eventually(lambda: all(len(runs(stack, key)) == 2 for key in keys), "second runs")
    eventually(lambda: len(stack.finished(OWN_KEY)) == before + 1, "second run of the file")
    assert len(runs(stack, other)) == 1
    assert "0 events sent." in command("backfill", "lidar/", "--until", "2020-01-01", "--data", stack.data).stdout


def test_a_stopped_or_killed_backfill_resumes(stack: Supervised):
    keys = fill(stack, "lidar/c", 12)
    line = [sys.executable, "-m", "runner", "backfill", "lidar/c", "--rate", "2", "--data", str(stack.data)]
    for number in (signal.SIGINT, signal.SIGKILL):
        sent = len(run_twice(stack, keys))
        process = subprocess.Popen(line, env=environment(), stderr=subprocess.DEVNULL)
        eventually(lambda sent=sent: len(run_twice(stack, keys)) >= sent + 2, "two more events")
        process.send_signal(number)
        assert process.wait(timeout=10) == (130 if number == signal.SIGINT else -signal.SIGKILL)
    began = time.monotonic()
    done = command("backfill", "lidar/c", "--rate", "2", "--data", stack.data)
    assert done.returncode == 0, done.stderr
    left = int(done.stdout.split()[0])
    assert 0 < left <= 8
    assert time.monotonic() - began >= (left - 2) / 2  # two at once, and two a second
    eventually(lambda: all(len(runs(stack, key)) >= 2 for key in keys), "every object a second time")
    assert sum(len(runs(stack, key)) for key in keys) <= 2 * len(keys) + 1  # killed between sending and recording
    again = command("backfill", "lidar/c", "--rate", "50", "--json", "--data", stack.data)
    assert json.loads(again.stdout) == {
        "bucket": SHIPPED.source_bucket, "objects": 12, "sent_before": 0, "sent": 12
    }  # fmt: skip


def run_twice(stack: Supervised, keys: list[str]) -> list[str]:
    return [key for key in keys if len(runs(stack, key)) > 1]


def test_a_backfill_on_aws_needs_names_and_confirmation(stack: Supervised):
    keys = fill(stack, "lidar/d", 2)
    account = {
        **clients.local_environment(stack.endpoint_url)
    }  # stands for a user's own credentials and AWS's endpoint
    names = ("--aws", "--bucket", SHIPPED.source_bucket, "--queue", "tsdat-pipeline-lambda-queue")
    asked = runner("backfill", "lidar/d", *names, "--data", stack.data, **account)
    assert asked.returncode == 1
    assert f"account 000000000000, bucket {SHIPPED.source_bucket}, queue tsdat-pipeline-lambda-queue" in asked.stderr
    assert "Send 2 events to this queue on AWS?" in asked.stderr
    done = runner("backfill", "lidar/d", *names, "--yes", "--data", stack.data, **account)
    assert done.returncode == 0, done.stderr
    eventually(lambda: all(len(runs(stack, key)) == 2 for key in keys), "second runs")


def test_an_error_from_aws_is_reported(stack: Supervised):
    account = {**clients.local_environment(stack.endpoint_url)}
    names = ("--aws", "--yes", "--bucket", "nobody-s", "--queue", "tsdat-pipeline-lambda-queue")
    done = runner("backfill", "x", *names, "--data", stack.data, **account)
    assert done.returncode == 2
    assert "error: AWS refused: An error occurred (NoSuchBucket)" in done.stderr
