"""Breakpoints in the Lambda, as an editor sets them: with a real client, on both backends."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, SAMPLES, environment, eventually, runner, running
from dap import Debugger

from runner.history import FINAL, History, Run
from runner.lambdas import free_port
from runner.mirror import is_mirrored

SAMPLE = SAMPLES / "a2e_buoy_ingest/humboldt/buoy.z05.00.20201201.000000.zip"
KEY = SAMPLE.relative_to(SAMPLES).as_posix()
SOURCE = ROOT / "pipelines/a2e_buoy_ingest/pipeline.py"
LINE = 1 + [line.strip() for line in SOURCE.read_text().splitlines()].index("return dataset")
BREAKPOINT = {str(SOURCE): [LINE]}
TASK = {str(ROOT): "/var/task"}
# Longer than the poller's lease of a message, and than a visibility timeout that nobody renews.
LONG_S = 16


@pytest.fixture
def port() -> int:
    """Where this test's debugger listens."""
    return free_port()


def stopped_at_the_breakpoint(debugger: Debugger) -> tuple[int, dict[str, Any]]:
    """The thread and its frame, once there."""
    event = debugger.event("stopped")
    assert event["reason"] == "breakpoint"
    frame = debugger.frame(event["threadId"])
    assert (frame["source"]["path"], frame["line"]) == (str(SOURCE), LINE)
    assert frame["name"] == "hook_finalize_dataset"
    return event["threadId"], frame


def debug_one_run(port: int, mappings: dict[str, str], inbox: Path) -> None:
    """Stop a run at the breakpoint for long, look around, and let it go."""
    with Debugger(port) as debugger:
        assert [made["verified"] for made in debugger.attach(BREAKPOINT, mappings)] == [True]
        (inbox / KEY).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(SAMPLE, inbox / KEY)
        thread, frame = stopped_at_the_breakpoint(debugger)
        variables = debugger.variables(frame["id"])
        assert variables["dataset"]["type"] == "Dataset"
        assert "xarray.Dataset" in variables["dataset"]["value"]
        evaluated = debugger.request(
            "evaluate", expression="sorted(dataset.sizes)", frameId=frame["id"], context="repl"
        )
        assert evaluated["result"] == "['depth', 'time']"
        time.sleep(LONG_S)  # what is waited for is that nothing happens
        debugger.request("continue", threadId=thread)


def assert_one_good_run(history: History, outputs: Path) -> None:
    """It succeeded at its first attempt, no other was made, and its files are there."""

    def ended() -> list[Run]:
        return [run for run in history.runs() if run.outcome in FINAL and run.record["inputs"]]

    (run,) = eventually(ended, "end of the run")
    assert (run.outcome, run.attempt) == ("succeeded", 1)
    assert run.record["inputs"][0]["key"] == KEY
    assert run.record["durations_s"]["total"] > LONG_S
    eventually(lambda: is_mirrored(run, outputs), "outputs", 10)
    assert [path.suffix for path in outputs.rglob("*.nc")] == [".nc"]
    assert len([run for run in history.runs() if run.record["inputs"]]) == 1


def processes(port: int) -> dict[int, str]:
    """Every process that was told of a debug port: the emulator, the runtime, the debugger's adapter."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has just ended
        if f"127.0.0.1:{port}" in command or f"--port {port}" in command:
            found[int(folder.name)] = command
    return found


def runtime(port: int) -> int:
    """The process that runs the handler."""
    return next(pid for pid, command in processes(port).items() if " -m debugpy " in command and "-rie" not in command)


def listeners(port: int) -> list[str]:
    """The addresses on which a port is open, as /proc has them."""
    lines = [line for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    fields = [line.split() for line in lines]
    return [at[1].split(":")[0] for at in fields if at[3] == "0A" and int(at[1].split(":")[1], 16) == port]


def test_a_run_stops_at_a_breakpoint_and_goes_on(tmp_path: Path, port: int):
    with running(tmp_path, "--debug", RUNNER_DEBUG_PORT=str(port)) as stack:
        assert f"a debugger can attach at 127.0.0.1:{port}" in stack.text
        assert listeners(port) == ["0100007F"]
        environ = Path(f"/proc/{runtime(port)}/environ").read_text()
        assert "AWS_LAMBDA_FUNCTION_TIMEOUT=3600" in environ
        debug_one_run(port, {}, stack.inbox)
        assert_one_good_run(stack.history, stack.outputs)


def test_after_a_crash_it_can_be_attached_again_and_ctrl_c_at_a_breakpoint_leaves_nothing(tmp_path: Path, port: int):
    with running(tmp_path, "--debug", RUNNER_DEBUG_PORT=str(port)) as stack:
        with Debugger(port) as debugger:
            debugger.attach(BREAKPOINT, {})
            stack.put(SAMPLE, KEY)
            stopped_at_the_breakpoint(debugger)
            before = processes(port).keys()
            os.kill(runtime(port), signal.SIGKILL)
            debugger.event("terminated")
        eventually(lambda: stack.runs_of(KEY), "failed attempt")
        eventually(lambda: len(processes(port).keys() - before) == 2 and listeners(port), "new runtime and adapter")
        with Debugger(port) as debugger:
            debugger.attach(BREAKPOINT, {})
            stack.put(SAMPLE, KEY.replace("20201201", "20201202"))
            stopped_at_the_breakpoint(debugger)
            assert stack.stop() < 4
        eventually(lambda: not processes(port), "end of all processes", 5)
        assert not listeners(port)


def test_when_the_supervisor_is_killed_the_debugger_goes_too(tmp_path: Path, port: int):
    with running(tmp_path, "--debug", RUNNER_DEBUG_PORT=str(port)) as stack:
        assert len(processes(port)) == 3
        stack.process.kill()
        stack.process.wait()
        eventually(lambda: not processes(port), "end of all processes", 5)


def test_a_taken_debug_port_is_refused(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        at = taken.getsockname()[1]
        done = runner("up", "--port", "0", "--debug", "--data", tmp_path, RUNNER_DEBUG_PORT=str(at))
    assert done.returncode == 2
    assert f"error: Port {at} is in use" in done.stderr
    assert "choose another port: RUNNER_DEBUG_PORT=5679" in done.stderr


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Call Docker with what it needs of this environment."""
    own = {name: value for name, value in os.environ.items() if name.startswith("DOCKER_")}
    return subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, env=environment(**own), cwd=ROOT, check=False
    )


@contextmanager
def containers(data: Path, port: int) -> Iterator[Callable[..., str]]:
    """The Docker stack under the debugger, for the body; gives a way to ask compose."""
    project = f"tsdat-debug-{uuid.uuid4().hex[:8]}"
    own = data.parent / "compose.env"
    own.write_text(f"RUNNER_DATA={data}\nLOCALSTACK_PORT=0\nRUNNER_DEBUG_PORT={port}\n")
    files = [f"--env-file={path}" for path in (ROOT / ".env", own) if path.exists()]

    def compose(*arguments: str) -> str:
        done = docker("compose", "-p", project, *files, "-f", "compose.yaml", "-f", "compose.debug.yaml", *arguments)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    try:
        compose("up", "--detach", "--wait", "--build")
        yield compose
    finally:
        compose("down", "--volumes", "--timeout=1")


@pytest.mark.timeout(900)  # the first time the images are built
def test_a_run_in_a_container_stops_at_a_breakpoint_and_goes_on(tmp_path: Path, port: int):
    asked = docker("version") if shutil.which("docker") else None
    if asked is None or asked.returncode:
        why = f"no Docker engine answers: {asked.stderr.strip() if asked else 'there is no docker command'}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
    data = tmp_path / "data"
    (data / "inbox").mkdir(parents=True)
    with containers(data, port) as compose:
        assert compose("ps", "--quiet", "lambda").count("\n") == 1
        debug_one_run(port, TASK, data / "inbox")
        with closing(History(data / "state")) as history:
            assert_one_good_run(history, data / "outputs")
        assert "AWS_LAMBDA_FUNCTION_TIMEOUT=3600" in compose("exec", "-T", "lambda", "env")
