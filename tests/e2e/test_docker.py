"""What is specific to the Docker stack: replicas, restarts and ports, with containers that are stopped and killed.

Limits, owners and the stop are in test_parity.py.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runner.services.event_source_mapping.rie_client import Emulator
from runner.testing.docker_stack import DockerStack
from runner.testing.embedded_stack import EmbeddedStack
from runner.testing.plugin import require_docker
from runner.testing.stacks import environment, eventually
from tests.support import killing
from tests.support.containers import address, all_containers, containers, docker, processes
from tests.support.listening import LOOPBACK, listeners
from tests.support.stacks import BUOY, ROOT, TIDE, runner


def compose(stack: DockerStack, *arguments: str) -> None:
    """Run a `docker compose` command on the stack."""
    command = [*stack.compose.docker_compose_command(), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def stack(docker_stack: DockerStack) -> DockerStack:
    """Return the shared stack; each test restores it."""
    return docker_stack


def test_a_killed_lambda_loses_nothing(stack: DockerStack):
    victim, _ = containers(stack.project, "lambda")
    keys = [f"a2e_buoy_ingest/humboldt/killed/{number}/{BUOY.name}" for number in range(4)]
    with killing.paused(runtime(victim)):  # so that it still has a file when it is killed
        for key in keys:
            stack.put(BUOY, key)
        eventually(lambda: sum(bool(stack.finished(key)) for key in keys) == 3, "runs of the other Lambda")
        (held,) = (key for key in keys if not stack.finished(key))
        docker("kill", victim)
        assert victim not in containers(stack.project, "lambda")
    assert [stack.final(key).outcome for key in keys] == ["succeeded"] * 4
    assert [key for key in keys if stack.final(key).attempt > 1 or len(stack.runs_of(key)) > 1] == [held]
    # Docker does not restart a container that was killed by hand; `docker compose up` does.
    compose(stack, "up", "--detach", "--wait", "--no-recreate")


def runtime(container: str) -> int:
    """Return the process ID of a Lambda's Python."""
    (pid,) = (pid for pid, command in processes(container).items() if "bootstrap.py" in command)
    return pid


def test_a_crashed_emulator_is_restarted(stack: DockerStack):
    (first, *_) = containers(stack.project, "lambda")
    emulator = Emulator(f"http://{address(first)}:8080")
    assert emulator.is_up()
    # Two invokes at the same time crash the emulator.
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: emulator.invoke({"Event": "s3:TestEvent"}, 5), range(64)))
    eventually(lambda: int(docker("inspect", "--format", "{{.RestartCount}}", first)) > 0, "restart of the emulator")
    key = f"tide_gauge/mcrl/crashed/{TIDE.name}"
    stack.put(TIDE, key)
    assert stack.final(key).outcome == "succeeded"


def test_files_dropped_while_localstack_is_stopped_are_processed(stack: DockerStack):
    compose(stack, "stop", "emulator")
    keys = [f"tide_gauge/mcrl/away/{number}/{TIDE.name}" for number in range(3)]
    for key in keys:
        stack.put(TIDE, key)
    compose(stack, "start", "emulator")
    assert [stack.final(key).outcome for key in keys] == ["succeeded"] * 3


def test_commands_on_this_machine_find_a_stack_that_plain_compose_started(stack: DockerStack):
    done = runner("run", TIDE, "--data", stack.data, "--json")
    assert done.returncode == 0, done.stderr
    assert "starting a stack" not in done.stderr
    assert json.loads(done.stdout)[0]["status"] == "succeeded"
    refused = runner("up", "--embedded", "--port", "0", "--data", stack.data)
    assert f"A stack already runs on {stack.data}. Use it, stop it" in refused.stderr


def test_additional_replicas_are_used(stack: DockerStack):
    compose(stack, "up", "--detach", "--wait", "--no-recreate", "--scale", "lambda=4")
    try:
        replicas = containers(stack.project, "lambda")
        assert len(replicas) == 4
        numbers = itertools.count()

        def all_work() -> bool:
            """Keep dropping files, because the new Lambdas first import tsdat."""
            stack.put(TIDE, f"tide_gauge/mcrl/replicas/{next(numbers)}/{TIDE.name}")
            return all("replicas/" in docker("logs", container) for container in replicas)

        eventually(all_work, "work for the fourth Lambda", 60)
    finally:
        compose(stack, "up", "--detach", "--wait", "--no-recreate", "--scale", "lambda=2")


def test_only_this_machine_can_connect(stack: DockerStack):
    ports = docker("ps", "--filter", f"label=com.docker.compose.project={stack.project}", "--format", "{{.Ports}}")
    ((host, port),) = re.findall(r"(\S+?):(\d+)->", ports)
    assert host == "127.0.0.1"
    assert listeners(int(port)) == [LOOPBACK]


def test_ctrl_c_while_docker_starts_stops_it_cleanly(tmp_path: Path):
    require_docker()
    project = f"tsdat-test-stopped-{os.getpid()}"
    command = [sys.executable, "-m", "runner", "up", "--docker", "--port", "0", "--data", str(tmp_path)]
    variables = environment(COMPOSE_PROJECT_NAME=project)
    process = subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True)
    eventually(lambda: all_containers(project), "first container", 60)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert "Traceback" not in errors
    assert process.returncode == 0
    assert not all_containers(project)


def test_without_an_engine_up_reports_it_and_runs_embedded(tmp_path: Path):
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
    """`runner up`, which chooses the backend."""

    options = ("--port", "0")


def test_without_env_file_all_images_are_pinned_and_public(tmp_path: Path):
    require_docker()
    empty = tmp_path / "empty.env"
    empty.touch()
    command = ["docker", "compose", "--env-file", str(empty), "config", "--format", "json"]
    done = subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True, check=True)
    services = json.loads(done.stdout)["services"]
    ours = {service["image"] for service in services.values() if "build" in service}
    assert ours == {f"tsdat-local/{name}:local" for name in ("lambda", "page", "services")}
    bases = {
        value for s in services.values() for name, value in s.get("build", {}).get("args", {}).items() if "BASE" in name
    }
    others = {service["image"] for service in services.values() if "build" not in service}
    assert bases | others == {
        "public.ecr.aws/lambda/python:3.13", "python:3.13.11-slim", "localstack/localstack:4.13.1"
    }  # fmt: skip


def test_a_stack_of_another_checkout_is_not_replaced(tmp_path: Path):
    require_docker()
    project = f"tsdat-test-other-{uuid.uuid4().hex[:8]}"
    labels = [f"com.docker.compose.project={project}", "com.docker.compose.project.working_dir=/home/me/other"]
    sleep = ["--entrypoint", "sleep", "tsdat-local/services:local", "60"]
    other = docker("run", "--detach", "--rm", *(f"--label={label}" for label in labels), *sleep)
    try:
        done = runner("up", "--docker", "--data", tmp_path, COMPOSE_PROJECT_NAME=project)
        assert done.returncode == 2
        assert (
            f"A Docker stack named '{project}' of another folder runs: /home/me/other. Stop it, or name this "
            f"one: add this line to {ROOT / '.env'} and start again:\nCOMPOSE_PROJECT_NAME={project}-2\n"
        ) in done.stderr
        assert docker("inspect", "--format", "{{.State.Running}}", other) == "true"
    finally:
        docker("kill", other)
