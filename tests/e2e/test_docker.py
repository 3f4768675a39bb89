"""What only the Docker stack can show: replicas, restarts, limits, owners; with real containers, stopped and killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, SAMPLES, running_in_docker

from runner.backends import DockerStack, EmbeddedStack, environment, eventually
from runner.testing import require_docker

TIDE = next((SAMPLES / "tide_gauge").glob("*/*.log"))
BUOY = next((SAMPLES / "a2e_buoy_ingest" / "humboldt").glob("*.zip"))
KEY = f"tide_gauge/mcrl/{TIDE.name}"


def docker(*arguments: str) -> str:
    """The output of a docker command."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout.strip()


def containers(stack: DockerStack, service: str) -> list[str]:
    """Ids of a service's running containers."""
    named = ("label=com.docker.compose.project=" + stack.project, "label=com.docker.compose.service=" + service)
    return docker("ps", "--quiet", "--no-trunc", "--filter", named[0], "--filter", named[1]).split()


def compose(stack: DockerStack, *arguments: str) -> None:
    """A `docker compose` command on the stack."""
    command = [*stack.compose.docker_compose_command(), *arguments]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)


@pytest.fixture
def stack(docker_stack: DockerStack) -> DockerStack:
    """All tests here leave it whole again."""
    return docker_stack


def test_a_killed_lambda_loses_nothing(stack: DockerStack):
    keys = [f"a2e_buoy_ingest/humboldt/killed/{number}/{BUOY.name}" for number in range(4)]
    for key in keys:
        stack.put(BUOY, key)
    eventually(lambda: f"↑ {keys[-1]}" in stack.text, "upload")
    # Both work now: the one that is killed has a file.
    (victim, *_) = eventually(lambda: [c for c in containers(stack, "lambda") if busy(c)], "working Lambda")
    docker("kill", victim)
    assert victim not in containers(stack, "lambda")
    runs = [stack.final(key) for key in keys]
    assert [run.outcome for run in runs] == ["succeeded"] * 4
    # Docker does not start again what was killed by hand; a user's `docker compose up` does.
    assert sum(run.attempt > 1 or len(stack.runs_of(key)) > 1 for run, key in zip(runs, keys, strict=True)) == 1
    compose(stack, "up", "--detach", "--wait", "--no-recreate")


def busy(container: str) -> bool:
    """Whether a Lambda has used a tenth of a second of processor time in the last fifth."""

    def used_s() -> float:
        pids = [
            line.split()[0]
            for line in docker("top", container, "-eo", "pid,args").splitlines()
            if "bootstrap.py" in line
        ]
        fields = Path(f"/proc/{pids[0]}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = used_s()
    time.sleep(0.2)
    return used_s() - before > 0.1


def test_a_crashed_emulator_is_started_again(stack: DockerStack):
    (first, *_) = containers(stack, "lambda")
    address = docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", first)
    # Two invokes at once crash the emulator; these come beside the poller's own.
    hello = f"http://{address}:8080/2015-03-31/functions/function/invocations"
    curl = [sys.executable, "-c", f"import urllib.request as r; r.urlopen({hello!r}, data=b'{{}}', timeout=20)"]
    clients = [subprocess.Popen(curl, stderr=subprocess.DEVNULL) for _ in range(4)]
    for client in clients:
        client.wait(timeout=60)
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


def test_more_replicas_are_found(stack: DockerStack):
    compose(stack, "up", "--detach", "--wait", "--no-recreate", "--scale", "lambda=3")
    try:
        assert len(containers(stack, "lambda")) == 3
        new = eventually(
            lambda: [c for c in containers(stack, "lambda") if "s3:TestEvent" in docker("logs", c)], "warm-up"
        )
        assert new
        invoked = lambda: [c for c in containers(stack, "lambda") if KEY_WORD in docker("logs", c)]  # noqa: E731
        for number in range(12):
            stack.put(TIDE, f"tide_gauge/mcrl/{KEY_WORD}/{number}/{TIDE.name}")
        eventually(lambda: len(invoked()) == 3, "work for the third Lambda")
    finally:
        compose(stack, "up", "--detach", "--wait", "--no-recreate", "--scale", "lambda=2")


KEY_WORD = "replicas"


def test_only_this_machine_can_connect(stack: DockerStack):
    ports = docker("ps", "--filter", f"label=com.docker.compose.project={stack.project}", "--format", "{{.Ports}}")
    published = re.findall(r"(\S+?):\d+->", ports)
    assert published == ["127.0.0.1"]


def test_outputs_belong_to_the_owner_of_the_data_folder_and_the_end_comes_soon(tmp_path: Path):
    owner = 1234 if os.geteuid() == 0 else os.geteuid()
    tmp_path.chmod(0o755)
    for folder in (tmp_path / "data", tmp_path / "data" / "inbox"):
        folder.mkdir()
        os.chown(folder, owner, owner if owner == 1234 else -1)
    for parent in [tmp_path, *tmp_path.parents][:3]:
        parent.chmod(0o755)
    with running_in_docker(tmp_path / "data", LAMBDA_CONCURRENCY="1") as stack:
        stack.put(TIDE, KEY)
        run = stack.final(KEY)
        assert run.outcome == "succeeded", run.record["error"]
        made = [*stack.mirrored(run), stack.data / "state" / "history.sqlite"]
        assert {path.stat().st_uid for path in made} == {owner}
        assert stack.stop() < 5
    assert not docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={stack.project}")


class Up(EmbeddedStack):
    """`runner up --docker`, as a user starts it."""

    options = ("--docker", "--port", "0")


@pytest.fixture
def project() -> Iterator[str]:
    """A project name of its own, and nothing of it left behind."""
    require_docker()
    name = f"tsdat-test-up-{os.getpid()}"
    yield name
    assert not docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={name}")


def test_up_with_docker_tells_what_happens_and_leaves_nothing(tmp_path: Path, project: str):
    stack = Up(tmp_path, COMPOSE_PROJECT_NAME=project)
    try:
        assert "with Docker, as asked" in stack.text
        stack.put(TIDE, KEY)
        assert stack.final(KEY).outcome == "succeeded"
        eventually(lambda: f"✔ {KEY} → tide_gauge/mcrl: 1 nc, 1 png" in stack.text, "line about the run")
        assert stack.endpoint_url.startswith("http://127.0.0.1:")
    finally:
        took = stack.stop()
    assert stack.process.returncode == 0
    assert took < 5
    assert "Traceback" not in stack.text


def test_ctrl_c_while_docker_starts_ends_it_cleanly(tmp_path: Path, project: str):
    command = [sys.executable, "-m", "runner", "up", "--docker", "--port", "0", "--data", str(tmp_path)]
    variables = environment(COMPOSE_PROJECT_NAME=project)
    process = subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True)
    named = f"label=com.docker.compose.project={project}"
    eventually(lambda: docker("ps", "--quiet", "--filter", named), "first container", 60)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert "Traceback" not in errors
    assert process.returncode == 0


def test_without_an_engine_up_says_so_and_goes_on(tmp_path: Path):
    python = tmp_path / "bin"
    python.mkdir()
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
    assert "`runner up --embedded` needs none." in done.stderr


class AutomaticUp(EmbeddedStack):
    """`runner up`, which chooses by itself."""

    options = ("--port", "0")
