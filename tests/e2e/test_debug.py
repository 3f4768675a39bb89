"""Breakpoints in the Lambda, set by a client of the Debug Adapter Protocol, on both backends."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.messages.run_record import FINAL
from runner.stack.ports import free_port
from runner.state.runs import Run
from runner.testing.docker_stack import DockerStack
from runner.testing.stacks import Stack, eventually
from tests.support.dap import Debugger
from tests.support.listening import LOOPBACK, listeners
from tests.support.stacks import ROOT, SAMPLES, runner, running, running_in_docker

SAMPLE = SAMPLES / "a2e_buoy_ingest/humboldt/buoy.z05.00.20201201.000000.zip"
KEY = SAMPLE.relative_to(SAMPLES).as_posix()
SOURCE = ROOT / "pipelines/a2e_buoy_ingest/pipeline.py"
LINE = 1 + [line.strip() for line in SOURCE.read_text().splitlines()].index("return dataset")
BREAKPOINT = {str(SOURCE): [LINE]}
TASK = {str(ROOT): "/var/task"}
# Longer than the lease of a message.
LONG_S = 16


def stopped_at_the_breakpoint(debugger: Debugger) -> tuple[int, dict[str, Any]]:
    """Wait for the breakpoint, and return the thread and its frame."""
    event = debugger.event("stopped")
    assert event["reason"] == "breakpoint"
    frame = debugger.frame(event["threadId"])
    assert (frame["source"]["path"], frame["line"]) == (str(SOURCE), LINE)
    assert frame["name"] == "hook_finalize_dataset"
    return event["threadId"], frame


class Debugged:
    """A stack under a debugger, with a run that stays at the breakpoint for a long time."""

    def __init__(self, stack: Stack, port: int, mappings: dict[str, str]) -> None:
        self.stack, self.port, self.mappings = stack, port, mappings
        self._debugger: Debugger | None = None
        self._is_finished = False

    def hold(self) -> None:
        """Stop a run at the breakpoint and inspect it, unless that has been done."""
        if self._debugger or self._is_finished:
            return
        self._debugger = Debugger(self.port)
        assert [made["verified"] for made in self._debugger.attach(BREAKPOINT, self.mappings)] == [True]
        self.stack.put(SAMPLE, KEY)
        self._thread, frame = stopped_at_the_breakpoint(self._debugger)
        self._since = time.monotonic()
        variables = self._debugger.variables(frame["id"])
        assert variables["dataset"]["type"] == "Dataset"
        assert "xarray.Dataset" in variables["dataset"]["value"]
        evaluated = self._debugger.request(
            "evaluate", expression="sorted(dataset.sizes)", frameId=frame["id"], context="repl"
        )
        assert evaluated["result"] == "['depth', 'time']"

    def resume(self) -> None:
        """Continue the run after it was stopped for a long time."""
        if self._debugger:
            with self._debugger as debugger:
                self._debugger, self._is_finished = None, True
                # In this time nothing must happen.
                time.sleep(max(0, self._since + LONG_S - time.monotonic()))
                debugger.request("continue", threadId=self._thread)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debugged]:
    port = free_port()
    with running(tmp_path_factory.mktemp("debug"), "--debug", RUNNER_DEBUG_PORT=str(port)) as stack:
        yield Debugged(stack, port, {str(ROOT): str(stack.data / "state/task-root")})


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debugged]:
    port = free_port()
    data = tmp_path_factory.mktemp("debug-docker")
    with running_in_docker(data, "compose.debug.yaml", RUNNER_DEBUG_PORT=str(port)) as stack:
        yield Debugged(stack, port, TASK)


@pytest.fixture(params=["embedded", "docker"])
def debugged(request: pytest.FixtureRequest) -> Debugged:
    return request.getfixturevalue(request.param)


def processes(port: int) -> dict[int, str]:
    """Return all processes with a debug port: the emulator, the runtime, the debug adapter."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has just exited
        if f"127.0.0.1:{port}" in command or f"--port {port}" in command:
            found[int(folder.name)] = command
    return found


def runtime(port: int) -> int:
    """Return the process that runs the handler."""
    return next(pid for pid, command in processes(port).items() if " -m debugpy " in command and "-rie" not in command)


# Both runs stay at the breakpoint while other tests run.
@pytest.mark.timeout(900)  # the first time the images are built
def test_a_run_stops_at_a_breakpoint(debugged: Debugged):
    stack, port = debugged.stack, debugged.port
    if isinstance(stack, DockerStack):
        environ, _, _ = stack.compose.exec_in_container(["env"], "lambda")
    else:
        assert f"attach a debugger to 127.0.0.1:{port}" in stack.text
        assert listeners(port) == [LOOPBACK]
        environ = Path(f"/proc/{runtime(port)}/environ").read_text()
    assert "AWS_LAMBDA_FUNCTION_TIMEOUT=3600" in environ
    debugged.hold()


def test_when_the_supervisor_is_killed_the_debugger_exits(tmp_path: Path):
    port = free_port()
    with running(tmp_path, "--debug", RUNNER_DEBUG_PORT=str(port)) as stack:
        assert len(processes(port)) == 3
        stack.process.kill()
        stack.process.wait()
        eventually(lambda: not processes(port), "exit of all processes", 5)


def test_a_taken_debug_port_is_refused(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        at = taken.getsockname()[1]
        done = runner("up", "--embedded", "--port", "0", "--debug", "--data", tmp_path, RUNNER_DEBUG_PORT=str(at))
    assert done.returncode == 2
    assert f"error: Port {at} is in use" in done.stderr
    assert "choose another port: RUNNER_DEBUG_PORT=5679" in done.stderr


@pytest.mark.timeout(900)
def test_a_run_continues_after_a_long_stop(debugged: Debugged):
    """It succeeds at its first attempt, which is the only one, and its outputs are there."""
    stack = debugged.stack
    debugged.hold()
    debugged.resume()

    def finished() -> list[Run]:
        return [run for run in stack.state.runs.after(0) if run.outcome in FINAL and run.record["inputs"]]

    (run,) = eventually(finished, "end of the run")
    assert (run.outcome, run.attempt) == ("succeeded", 1)
    assert run.record["inputs"][0]["key"] == KEY
    assert run.record["durations_s"]["total"] > LONG_S
    assert [path.suffix for path in stack.mirrored(run)].count(".nc") == 1
    assert len([run for run in stack.state.runs.after(0) if run.record["inputs"]]) == 1


def test_a_debugger_attaches_again_after_a_crash_and_ctrl_c_at_a_breakpoint_leaves_no_process(embedded: Debugged):
    stack, port = embedded.stack, embedded.port
    embedded.resume()
    keys = [KEY.replace("20201201", date) for date in ("20201202", "20201203")]
    with Debugger(port) as debugger:
        debugger.attach(BREAKPOINT, embedded.mappings)
        stack.put(SAMPLE, keys[0])
        stopped_at_the_breakpoint(debugger)
        before = processes(port).keys()
        os.kill(runtime(port), signal.SIGKILL)
        debugger.event("terminated")
    eventually(lambda: stack.runs_of(keys[0]), "failed attempt")
    eventually(lambda: len(processes(port).keys() - before) == 2 and listeners(port), "new runtime and adapter")
    with Debugger(port) as debugger:
        debugger.attach(BREAKPOINT, embedded.mappings)
        stack.put(SAMPLE, keys[1])
        stopped_at_the_breakpoint(debugger)
        assert stack.stop() < 4
    # An exiting process loses its command line before its sockets.
    eventually(lambda: not processes(port) and not listeners(port), "end of all processes and of the port", 5)
