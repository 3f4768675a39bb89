"""Every way in which a Lambda can fail, provoked for real in the genuine emulator, and what the runner makes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from runner.aws import clients, emulator_api
from runner.services import provisioner
from runner.services.event_source_mapping.rie_client import Emulator
from runner.stack import lambda_process, ports
from runner.stack.emulators.localstack import LocalStack
from runner.stack.supervisor import Supervisor
from runner.template.stack_template import StackTemplate
from runner.testing.stacks import eventually
from tests.support import noop
from tests.support.noop import Function

# A pipeline that does what the file's name says.
PIPELINE = """
import os, sys, time
from tsdat import IngestPipeline

class NoOp(IngestPipeline):
    def run(self, inputs, **kwargs):
        name = inputs[0]
        if "sleep" in name: time.sleep(60)
        if "exit" in name: os._exit(3)
        if "quit" in name: sys.exit("enough")
        if "raise" in name: raise KeyError("no such column")
"""
# Long enough for the init phase, which counts against it.
TIMEOUT_S = 15


@pytest.fixture(scope="module")
def function(tmp_path_factory: pytest.TempPathFactory, described: StackTemplate) -> Iterator[Function]:
    folder = tmp_path_factory.mktemp("failures")
    project, state = noop.project(folder / "project", PIPELINE), folder / "state"
    (state / "logs").mkdir(parents=True)
    endpoint_url, port = f"http://127.0.0.1:{ports.free_port()}", ports.free_port()
    short = replace(described, function_timeout_s=TIMEOUT_S)
    supervisor = Supervisor(print)
    supervisor.start(LocalStack().child(state, endpoint_url, state / "logs" / "localstack.log"))
    supervisor.start(lambda_process.child(1, port, project, state, short, endpoint_url))
    try:
        eventually(lambda: emulator_api.is_healthy(endpoint_url), "LocalStack")
        made = Function(Emulator(f"http://127.0.0.1:{port}"), described.source_bucket, endpoint_url, TIMEOUT_S)
        provisioner.provision(clients.local_s3(endpoint_url), clients.local_sqs(endpoint_url), described)
        yield made
    finally:
        supervisor.stop(kill=["LocalStack"])


def test_it_works_before_and_after_each_failure(function: Function):
    assert function.run("fine").kind == "answered"


def test_a_raised_exception_says_what_and_where(function: Function):
    answer = function.run("raise")
    assert answer.kind == "raised"
    assert "KeyError: 'no such column'" in answer.error
    assert "handler.py" in answer.traceback
    assert function.run("fine").kind == "answered"


@pytest.mark.parametrize("name", ["exit", "quit"])
def test_a_runtime_that_ends_itself_is_a_failure_with_its_reason(function: Function, name: str):
    answer = function.run(name)
    assert answer.kind in ("died", "raised")
    assert "Runtime" in answer.error or "runtime died" in answer.error
    assert function.run("fine").kind == "answered"


def test_a_run_that_takes_too_long_is_told_by_the_emulator(function: Function):
    answer = function.run("sleep")
    assert answer.kind == "timed out"
    text = f"Task timed out after {TIMEOUT_S}.00 seconds: Timeout in template.yaml is {TIMEOUT_S}. Raise it"
    assert answer.error.startswith(text)
    assert function.run("fine").kind == "answered"


def test_a_runtime_that_is_killed_is_a_failure(function: Function):
    listing = subprocess.run(["ps", "-ww", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    mine = f"--runtime-interface-emulator-address 127.0.0.1:{function.emulator.address[1]}"
    emulator = next(int(line.split()[0]) for line in listing.splitlines() if mine in line)
    runtime = subprocess.run(["pgrep", "-P", str(emulator)], capture_output=True, text=True, check=True).stdout.split()
    assert len(runtime) == 1
    killer = threading.Timer(1.0, lambda: os.kill(int(runtime[0]), signal.SIGKILL))
    killer.start()
    answer = function.run("sleep")
    assert answer.kind in ("died", "raised")
    assert "timed out" not in answer.error
    assert function.run("fine").kind == "answered"
