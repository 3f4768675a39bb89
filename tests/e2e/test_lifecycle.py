"""Starting, ending and being killed: with real processes."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from conftest import SAMPLES, runner, running

from runner.backends import environment, eventually

TIDE = next((SAMPLES / "tide_gauge").glob("*/*.log"))
KEY = f"tide_gauge/mcrl/{TIDE.name}"


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def descendants(pid: int) -> set[int]:
    """All processes below one."""
    listing = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listing.splitlines()]
    found, todo = set(), [pid]
    while todo:
        parent = todo.pop()
        children = {child for child, its in pairs if its == parent}
        found |= children
        todo += children
    return found


def test_ctrl_c_ends_everything_soon_and_a_restart_repeats_nothing(tmp_path: Path):
    with running(tmp_path) as stack:
        stack.put(TIDE, KEY)
        run = stack.final(KEY)
        assert run.outcome == "succeeded"
        stack.mirrored(run)  # what LocalStack takes with it before has to be made again
        below = descendants(stack.process.pid)
        assert len(below) >= 5
        assert stack.stop() < 3
        assert stack.process.returncode == 0
        assert not [pid for pid in below if alive(pid)]
        assert "Traceback" not in stack.text
    with running(tmp_path) as again:
        other = KEY.replace("mcrl/", "mcrl/other/")
        again.put(TIDE, other)
        again.final(other)
        assert len(again.runs_of(KEY)) == 1


def test_when_the_supervisor_is_killed_nothing_is_left_behind(tmp_path: Path):
    with running(tmp_path) as stack:
        stack.put(TIDE, KEY)
        stack.final(KEY)
        below = descendants(stack.process.pid)
        stack.process.kill()
        stack.process.wait()
        eventually(lambda: not [pid for pid in below if alive(pid)], "end of the children", 5)


def test_dead_children_are_started_again_and_no_file_is_lost(tmp_path: Path):
    with running(tmp_path, LAMBDA_CONCURRENCY="2") as stack:
        for number, name in enumerate(("localstack_main", "aws-lambda-rie", "runner poll", "runner watch")):
            pid = stack.children()[name]
            os.kill(pid, signal.SIGKILL)
            eventually(lambda pid=pid: not alive(pid), f"death of {name}", 5)
            eventually(lambda name=name, pid=pid: stack.children().get(name, pid) != pid, f"new {name}", 20)
            key = f"tide_gauge/mcrl/{number}/{TIDE.name}"
            stack.put(TIDE, key)
            assert stack.final(key).outcome == "succeeded"
        for name in ("LocalStack", "Lambda 2", "poller", "watcher"):
            assert f"{name} was killed by SIGKILL; starting it again" in stack.text


def test_a_file_that_was_not_through_when_all_was_lost_is_taken_up_again(tmp_path: Path):
    with running(tmp_path) as stack:
        for name in ("aws-lambda-rie", "runner poll"):
            os.kill(stack.children()[name], signal.SIGSTOP)
        stack.put(TIDE, KEY)
        eventually(lambda: f"↑ {KEY}" in stack.text, "upload")
        stack.process.kill()
        stack.process.wait()
        assert not stack.runs_of(KEY)
    with running(tmp_path) as again:
        assert again.final(KEY).outcome == "succeeded"


def test_without_retain_the_inbox_copy_goes_after_success_only(tmp_path: Path):
    with running(tmp_path, "--no-retain") as stack:
        good, bad = stack.put(TIDE, KEY), stack.put(b"", "tide_gauge/mcrl/tide_20202512000000.log")
        stack.final(KEY)
        stack.final("tide_gauge/mcrl/tide_20202512000000.log")
        eventually(lambda: not good.exists(), "removal of the copy", 10)
        time.sleep(2.5)
        assert bad.exists()


def test_polling_needs_no_folder_events(tmp_path: Path):
    with running(tmp_path, "--polling") as stack:
        stack.put(TIDE, KEY)
        assert stack.final(KEY).outcome == "succeeded"
        assert len(stack.runs_of(KEY)) == 1


def test_a_taken_port_a_second_stack_and_a_foreign_endpoint_are_refused(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = runner("up", "--embedded", "--port", str(port), "--data", tmp_path)
        assert done.returncode == 2
        assert f"error: Port {port} is in use, perhaps by another stack." in done.stderr
    done = runner("up", "--embedded", "--data", tmp_path, AWS_ENDPOINT_URL="https://s3.us-west-2.amazonaws.com")
    assert done.returncode == 2
    assert "is not on this machine, and the local stack never talks to real AWS." in done.stderr
    with running(tmp_path):
        done = runner("up", "--embedded", "--port", "0", "--data", tmp_path)
        assert done.returncode == 2
        assert f"error: A stack already runs on {tmp_path}. Use it, stop it" in done.stderr


def test_only_this_machine_can_connect(tmp_path: Path):
    with running(tmp_path, LAMBDA_CONCURRENCY="2") as stack:
        pids = {stack.process.pid} | descendants(stack.process.pid)
        inodes = set()
        for pid in pids:
            for fd in Path(f"/proc/{pid}/fd").iterdir():
                found = re.fullmatch(r"socket:\[(\d+)\]", str(fd.readlink()))
                inodes |= {found[1]} if found else set()
        listening = []
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and fields[9] in inodes:
                    listening.append(fields[1].split(":")[0])
        assert len(listening) >= 5  # S3 and, for each Lambda, the emulator and its runtime API
        assert set(listening) == {"0100007F"}


def test_wrong_routes_stop_the_start(tmp_path: Path):
    project = tmp_path / "project"
    project.mkdir()
    for name in ("template.yaml", "pipelines", "shared"):
        source = Path(name)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, project / name)
    (project / "pipelines" / "routes.yaml").write_text("pipelines: {a2e_buoy_ingest: '('}")
    done = runner("up", "--embedded", "--port", "0", "--data", tmp_path / "data", RUNNER_ROOT=str(project))
    assert done.returncode == 2
    assert "pipelines.a2e_buoy_ingest: '(' is not a regular expression" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_ends_cleanly_when_interrupted(tmp_path: Path, number: signal.Signals):
    import sys

    command = [sys.executable, "-m", "runner", "run", str(TIDE), "--data", str(tmp_path)]
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)
    eventually(lambda: (tmp_path / "state" / "logs" / "localstack.log").exists(), "start", 20)
    process.send_signal(number)
    began = time.monotonic()
    _, errors = process.communicate(timeout=20)
    assert time.monotonic() - began < 3
    assert process.returncode == 130
    assert "Traceback" not in errors
