"""Starting, stopping and killing stacks, with real processes."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.settings import Settings
from runner.stack import emulators
from runner.testing.stacks import environment, eventually
from tests.support import killing, noop
from tests.support.stacks import TIDE, Supervised, runner, running

KEY = f"tide_gauge/mcrl/{TIDE.name}"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_stops_cleanly_when_interrupted(tmp_path: Path, number: signal.Signals):
    import sys

    command = [sys.executable, "-m", "runner", "run", str(TIDE), "--data", str(tmp_path)]
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)
    eventually(lambda: any((tmp_path / "state" / "logs").glob("*stack.log")), "start", 20)
    process.send_signal(number)
    _, errors = process.communicate(timeout=15)
    assert process.returncode == 130
    assert "Traceback" not in errors


@pytest.fixture(scope="module")
def no_retain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    """Start a stack that removes files from the inbox when their runs have succeeded."""
    with running(tmp_path_factory.mktemp("no-retain"), "--no-retain", LAMBDA_CONCURRENCY="2") as stack:
        yield stack


def test_without_retain_the_inbox_copy_is_removed_after_success_only(no_retain: Supervised):
    good, bad = no_retain.put(TIDE, KEY), no_retain.put(b"", "tide_gauge/mcrl/tide_20202512000000.log")
    run = no_retain.final(KEY)
    no_retain.final("tide_gauge/mcrl/tide_20202512000000.log")
    eventually(lambda: not good.exists(), "removal of the copy", 10)
    # A file that is dropped again because its outputs are gone stays in the inbox.
    assert runner("reconcile", "--data", no_retain.data).returncode == 0
    for output in no_retain.mirrored(run):
        output.unlink()
    no_retain.put(TIDE, KEY)
    time.sleep(2.5)
    assert bad.exists()
    assert good.exists()
    assert len(no_retain.runs_of(KEY)) == 1
    good.unlink()


def test_killed_children_are_restarted_and_no_file_is_lost(no_retain: Supervised):
    stack = no_retain
    for name in ("aws", "aws-lambda-rie", "runner poll", "runner watch"):
        pid = stack.children()[name]
        killing.kill(stack, pid)
        eventually(lambda name=name, pid=pid: stack.children().get(name, pid) != pid, f"new {name}", 20)
    key = f"tide_gauge/mcrl/killed/{TIDE.name}"
    stack.put(TIDE, key)
    assert stack.final(key).outcome == "succeeded"
    for name in (
        emulators.by_name(Settings.from_env().emulator or emulators.DEFAULT).name,
        "Lambda 2",
        "poller",
        "watcher",
    ):
        assert f"{name} was killed by SIGKILL; restarting" in stack.text


def test_without_retain_a_polled_file_stays_until_its_outputs_are_copied(tmp_path: Path):
    (tmp_path / "outputs").mkdir()
    obstacle = tmp_path / "outputs" / "data"
    obstacle.touch()  # so that no NetCDF file can be copied below it
    with running(tmp_path, "--no-retain", "--polling") as stack:
        path = stack.put(TIDE, KEY)
        eventually(lambda: "✗ outputs are not copied yet, and their runs wait for it: [Errno 20]" in stack.text, "run")
        stack.put(b"?", "later.bin")
        eventually(lambda: "↑ later.bin" in stack.text, "another scan of the inbox")
        assert path.exists()
        assert stack.runs_of(KEY) == []
        pid = stack.children()["aws"]
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: stack.children().get("aws", pid) != pid, "new LocalStack")
        obstacle.unlink()
        assert stack.final(KEY).outcome == "succeeded"
        eventually(lambda: not path.exists(), "removal of the copy")


def test_a_port_in_use_a_second_stack_and_a_remote_endpoint_are_refused(tmp_path: Path, embedded_stack: Supervised):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = runner("up", "--embedded", "--port", str(port), "--data", tmp_path)
        assert done.returncode == 2
        assert f"error: Port {port} is in use, perhaps by another stack." in done.stderr
    done = runner("up", "--embedded", "--data", tmp_path, AWS_ENDPOINT_URL="https://s3.us-west-2.amazonaws.com")
    assert done.returncode == 2
    assert "is not on this machine, and the local stack never contacts real AWS." in done.stderr
    done = runner("up", "--embedded", "--port", "0", "--data", embedded_stack.data)
    assert done.returncode == 2
    assert f"error: A stack already runs on {embedded_stack.data}. Use it, stop it" in done.stderr


def test_all_ports_listen_on_loopback_only(embedded_stack: Supervised):
    inodes = set()
    for pid in killing.processes_of(embedded_stack):
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed since
                found = re.fullmatch(r"socket:\[(\d+)\]", str(fd.readlink()))
                inodes |= {found[1]} if found else set()
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                listening.append(fields[1].split(":")[0])
    assert len(listening) >= 3  # S3, the emulator and its runtime API
    assert all(re.fullmatch("[0-9A-F]{6}7F", address) for address in listening), listening  # 127.x.y.z
    assert len(set(listening)) >= 3  # each part of a Lambda has an address that no web page can guess


def test_invalid_routes_prevent_the_start(tmp_path: Path):
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


DAEMON = """
import subprocess
from tsdat import IngestPipeline

class NoOp(IngestPipeline):
    def run(self, inputs, **kwargs):
        subprocess.Popen(["sleep", "4321"], start_new_session=True)
        raise ValueError("started")
"""


def daemons(data: Path) -> list[Path]:
    """Return the processes that the pipeline has left behind."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if os.fsencode(data) in environ.read_bytes() and b"4321" in environ.with_name("cmdline").read_bytes():
                found.append(environ)
    return found


def test_what_a_pipeline_leaves_behind_ends_with_the_stack_or_at_the_next_start(tmp_path: Path):
    project, data = noop.project(tmp_path / "project", DAEMON), tmp_path / "data"
    with running(data, RUNNER_ROOT=str(project)) as killed:
        killed.put(b"x", "noop.1.txt")
        eventually(lambda: killed.runs_of("noop.1.txt"), "run")
        assert daemons(data)
        killed.process.kill()
        killed.process.wait()
        before = daemons(data)
        assert before
    with running(data, RUNNER_ROOT=str(project)) as stack:
        assert not set(before) & set(daemons(data))
        stack.put(b"x", "noop.2.txt")
        eventually(lambda: stack.runs_of("noop.2.txt"), "run")
        assert daemons(data)
        stack.stop()
        assert not daemons(data)
