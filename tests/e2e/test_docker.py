"""What only the Docker stack can show: replicas, restarts, ports; with real containers, stopped and killed.

Limits, owners and the end are in test_parity.py.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runner.services.event_source_mapping.rie_client import Emulator
from runner.testing.docker_stack import DockerStack
from runner.testing.embedded_stack import EmbeddedStack
from runner.testing.plugin import require_docker
from runner.testing.stacks import environment, eventually
from tests.support import killing
from tests.support.containers import all_containers, containers, docker, processes
from tests.support.listening import LOOPBACK, listeners
from tests.support.stacks import ROOT, SAMPLES, runner

TIDE = next((SAMPLES / "tide_gauge").glob("*/*.log"))
BUOY = next((SAMPLES / "a2e_buoy_ingest" / "humboldt").glob("*.zip"))


def compose(stack: DockerStack, *arguments: str) -> None:
    """A `docker compose` command on the stack."""
    command = [*stack.compose.docker_compose_command(), *arguments]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)


@pytest.fixture
def stack(docker_stack: DockerStack) -> DockerStack:
    """All tests here leave it whole again."""
    return docker_stack


def test_a_killed_lambda_loses_nothing(stack: DockerStack):
    victim, _ = containers(stack.project, "lambda")
    keys = [f"a2e_buoy_ingest/humboldt/killed/{number}/{BUOY.name}" for number in range(4)]
    with killing.paused(runtime(victim)):  # so that it still has a file when it is killed, however fast runs are
        for key in keys:
            stack.put(BUOY, key)
        eventually(
            lambda: sum(bool(stack.finished(key)) for key in keys) == 3, "end of what the other Lambda was given"
        )
        (held,) = (key for key in keys if not stack.finished(key))
        docker("kill", victim)
        assert victim not in containers(stack.project, "lambda")
    assert [stack.final(key).outcome for key in keys] == ["succeeded"] * 4
    assert [key for key in keys if stack.final(key).attempt > 1 or len(stack.runs_of(key)) > 1] == [held]
    # Docker does not start again what was killed by hand; a user's `docker compose up` does.
    compose(stack, "up", "--detach", "--wait", "--no-recreate")


def runtime(container: str) -> int:
    """The process id of a Lambda's Python."""
    (pid,) = (pid for pid, command in processes(container).items() if "bootstrap.py" in command)
    return pid


def test_a_crashed_emulator_is_started_again(stack: DockerStack):
    (first, *_) = containers(stack.project, "lambda")
    address = docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", first)
    emulator = Emulator(f"http://{address}:8080")
    assert emulator.is_up()
    # Two invokes at once crash the emulator; the poller's own would be one too many already.
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: emulator.invoke({"Event": "s3:TestEvent"}, 5), range(64)))
    eventually(lambda: int(docker("inspect", "--format", "{{.RestartCount}}", first)) > 0, "restart of the emulator")
    key = f"tide_gauge/mcrl/crashed/{TIDE.name}"
    stack.put(TIDE, key)
    assert stack.final(key).outcome == "succeeded"


def test_when_localstack_was_away_every_file_comes_through(stack: DockerStack):
    compose(stack, "stop", "localstack")
    keys = [f"tide_gauge/mcrl/away/{number}/{TIDE.name}" for number in range(3)]
    for key in keys:
        stack.put(TIDE, key)
    compose(stack, "start", "localstack")
    assert [stack.final(key).outcome for key in keys] == ["succeeded"] * 3


def test_commands_on_this_machine_find_a_stack_that_plain_compose_started(stack: DockerStack):
    done = runner("run", TIDE, "--data", stack.data, "--json")
    assert done.returncode == 0, done.stderr
    assert "starting a stack" not in done.stderr
    assert json.loads(done.stdout)[0]["status"] == "succeeded"
    refused = runner("up", "--embedded", "--port", "0", "--data", stack.data)
    assert f"A stack already runs on {stack.data}. Use it, stop it" in refused.stderr


def test_more_replicas_are_found(stack: DockerStack):
    compose(stack, "up", "--detach", "--wait", "--no-recreate", "--scale", "lambda=4")
    try:
        replicas = containers(stack.project, "lambda")
        assert len(replicas) == 4
        numbers = itertools.count()

        def all_work() -> bool:
            """Goes on sending, because the new ones import tsdat first."""
            stack.put(TIDE, f"tide_gauge/mcrl/replicas/{next(numbers)}/{TIDE.name}")
            return all("replicas/" in docker("logs", container) for container in replicas)

        eventually(all_work, "work for the fourth Lambda", 60)
    finally:
        compose(stack, "up", "--detach", "--wait", "--no-recreate", "--scale", "lambda=2")


def test_only_this_machine_can_connect(stack: DockerStack):
    ports = docker("ps", "--filter", f"label=com.docker.compose.project={stack.project}", "--format", "{{.Ports}}")
    ((address, port),) = re.findall(r"(\S+?):(\d+)->", ports)
    assert address == "127.0.0.1"
    assert listeners(int(port)) == [LOOPBACK]  # and this is what the kernel says


def test_ctrl_c_while_docker_starts_ends_it_cleanly(tmp_path: Path):
    require_docker()
    project = f"tsdat-test-ended-{os.getpid()}"
    command = [sys.executable, "-m", "runner", "up", "--docker", "--port", "0", "--data", str(tmp_path)]
    variables = environment(COMPOSE_PROJECT_NAME=project)
    process = subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True)
    eventually(lambda: all_containers(project), "first container", 60)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert "Traceback" not in errors
    assert process.returncode == 0
    assert not all_containers(project)


def test_without_an_engine_up_says_so_and_goes_on(tmp_path: Path):
    with_engine_down = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    stack = AutomaticUp(tmp_path / "data", **with_engine_down)
    try:
        assert re.search(
            r"without Docker, because (no Docker engine answers: .*nowhere|docker is not installed)", stack.text
        )
    finally:
        stack.stop()
    command = [sys.executable, "-m", "runner", "up", "--docker", "--data", str(tmp_path / "other")]
    done = subprocess.run(command, env=environment(**with_engine_down), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "error: Docker cannot be used: " in done.stderr
    assert "`runner up --embedded` does not need it." in done.stderr


class AutomaticUp(EmbeddedStack):
    """`runner up`, which chooses by itself."""

    options = ("--port", "0")


def test_without_env_file_all_images_are_pinned_and_public(tmp_path: Path):
    require_docker()
    empty = tmp_path / "empty.env"
    empty.touch()
    command = ["docker", "compose", "--env-file", str(empty), "config", "--format", "json"]
    done = subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True, check=True)
    services = json.loads(done.stdout)["services"]
    ours = {service["image"] for service in services.values() if "build" in service}
    assert ours == {"tsdat-local/lambda:local", "tsdat-local/services:local"}
    bases = {
        value for s in services.values() for name, value in s.get("build", {}).get("args", {}).items() if "BASE" in name
    }
    others = {service["image"] for service in services.values() if "build" not in service}
    assert bases | others == {
        "public.ecr.aws/lambda/python:3.13", "python:3.13.11-slim", "localstack/localstack:4.13.1"
    }  # fmt: skip
