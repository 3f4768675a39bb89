"""What outlives the end of a stack, whether it was asked to end or killed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner.aws.sqs import Queues
from runner.template.stack_template import StackTemplate
from runner.testing.stacks import eventually
from tests.support import digests, killing
from tests.support.commands import command, reconcile
from tests.support.commands import failures_of as failures
from tests.support.stacks import TIDE, running

BAD = b"torn"
KEY = f"tide_gauge/mcrl/{TIDE.name}"
KEPT, GONE, CHANGED = LOST = [f"lost/buoy.z05.00.2020120{n}.000000.zip" for n in (1, 2, 3)]


@dataclass
class Ended:
    """A data folder whose stack was ended by Ctrl-C, and how that went."""

    data: Path
    seconds: float
    code: int
    text: str
    processes: set[int]
    left: set[int]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ended]:
    """One file has succeeded there, three have failed for good."""
    with running(tmp_path_factory.mktemp("ended")) as stack:
        for key in LOST:
            stack.put(BAD, key)
        stack.put(TIDE, KEY)
        run = stack.final(KEY)
        assert run.outcome == "succeeded"
        stack.mirrored(run)  # what LocalStack takes with it before has to be made again
        for key in LOST:
            stack.final(key)
        assert reconcile(stack)[0] == 0
        processes = set(killing.processes_of(stack)) - {stack.process.pid}
        seconds = stack.stop()
        left = {pid for pid in processes if killing.alive(pid)}
        yield Ended(stack.data, seconds, stack.process.returncode, stack.text, processes, left)


def test_ctrl_c_stops_every_process_soon(ended: Ended):
    assert len(ended.processes) >= 5
    assert ended.seconds < 3
    assert ended.code == 0
    assert not ended.left
    assert "Traceback" not in ended.text


def test_reconcile_works_without_a_stack(ended: Ended):
    new = ended.data / "inbox" / "new.csv"
    new.write_text("x")
    try:
        done = command("reconcile", "--data", ended.data)
        assert done.returncode == 0
        assert "No stack runs on this folder. Files in progress resume at the next `runner up`." in done.stderr
        assert done.stdout.strip() == "0 unaccounted for; 1 succeeded, 3 dead-lettered, 1 in progress"
        done = command("reconcile", "--data", ended.data, "--json", "--wait", "0.5")
        assert done.returncode == 1
        (missing,) = json.loads(done.stdout)["unaccounted"]
        assert missing == {
            "key": "new.csv",
            "etag": "",
            "pipeline": None,
            "problem": "is still in progress after 0.5 s",
        }
    finally:
        new.unlink()


def test_a_restart_repeats_nothing_and_failures_are_retried_from_the_inbox(
    ended: Ended, tmp_path: Path, described: StackTemplate
):
    data = shutil.copytree(ended.data, tmp_path / "data")
    done = command("retry", "--all", "--data", data)
    assert done.returncode == 2
    assert f"error: No stack runs on {data}. Start one with `runner up`, then retry." in done.stderr
    rows = {row["file"]: row for row in json.loads(command("failures", "--json", "--data", data).stdout)}
    assert {row["in_dead_letter_queue"] for row in rows.values()} == {None}
    (data / "inbox" / GONE).unlink()
    with running(data) as stack:
        assert Queues(stack.endpoint_url, described.queue_name, described.dead_letter_queue_name).dead() == []
        assert len(failures(stack, "lost/")) == 3
        assert reconcile(stack)[1]["accounted"]["dead-lettered"] == 3
        (stack.inbox / CHANGED).write_bytes(b"torn too")
        other = stack.put(TIDE, KEY.replace("mcrl/", "mcrl/other/")).relative_to(stack.inbox).as_posix()
        stack.final(other)
        assert len(stack.runs_of(KEY)) == 1
        stack.final(CHANGED, count=2)
        done = command("retry", *(rows[key]["id"] for key in LOST), "--data", data)
        assert done.returncode == 1
        assert f"↻ {rows[KEPT]['id']} {KEPT} uploaded or queued again" in done.stdout
        assert (
            f"{GONE}: the emulator was restarted and lost it, and it is not in {stack.inbox}. Put it there again."
            in done.stdout
        )
        assert (
            f"{CHANGED}: the emulator was restarted and lost it, and the file in the inbox has changed" in done.stdout
        )
        assert stack.final(KEPT, count=2).outcome == "dead-lettered"
        assert {row["file"] for row in failures(stack, "lost/")} == set(LOST)
        assert reconcile(stack)[0] == 0


def test_a_backlog_resumes_after_everything_is_killed_and_no_process_is_left(tmp_path: Path):
    flood, late = [f"flood/noop.{number}.txt" for number in range(40)], "flood/noop.late.txt"
    project = str(digests.project(tmp_path / "project", BatchSize="BatchSize: 10"))
    with running(tmp_path / "data", RUNNER_ROOT=project) as stack, stack.paused("aws-lambda-rie"):
        for key in flood:
            stack.put(key.encode(), key)
        eventually(lambda: "files wait" in stack.text, "word of the backlog", 30)
        with stack.paused("runner poll"):  # some messages are in flight, this one's is not
            stack.put(late.encode(), late)
            eventually(lambda: f"↑ {late}" in stack.text, "upload")
            stack.process.kill()
            stack.process.wait()
        assert not stack.runs_of(late)
    with running(tmp_path / "data", RUNNER_ROOT=project) as again:
        code, sheet = reconcile(again, "--wait", "100")
        assert (code, sheet["accounted"]["succeeded"], sheet["accounted"]["in progress"]) == (0, 41, 0)
        assert "unfinished files" in again.text
        assert again.final(late).outcome == "succeeded"
        below = set(killing.processes_of(again)) - {again.process.pid}
        again.process.kill()
        again.process.wait()
        eventually(lambda: not [pid for pid in below if killing.alive(pid)], "end of the children", 5)
