"""A real stack for the tests: `runner up` as a user starts it, on a folder and on ports of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from runner import aws, template
from runner.history import FINAL, History, Run
from runner.mirror import is_mirrored

T = TypeVar("T")
ROOT = Path.cwd()
SAMPLES = ROOT / "data" / "samples"
REAL = ROOT.parent / "shared" / "data"


def environment(**more: str) -> dict[str, str]:
    """What a user's shell would hold, without anything that speaks of AWS or of this test run."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def runner(*arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    command = [sys.executable, "-m", "runner", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(**more), timeout=110, check=False)


def eventually(look: Callable[[], T], what: str, patience_s: float = 30.0) -> T:
    """Wait until `look` finds something, and give it."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    pytest.fail(f"after {patience_s} s still no {what}")


class Stack:
    """A running `runner up` and its folder."""

    def __init__(self, data: Path, *options: str, **variables: str) -> None:
        self.data, self.inbox, self.outputs = data, data / "inbox", data / "outputs"
        data.mkdir(parents=True, exist_ok=True)
        self.log = data / "up.log"
        command = [sys.executable, "-m", "runner", "up", "--port", "0", "--data", str(data), *options]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment(**variables), cwd=ROOT)
        self.wait_until_ready()
        self.history = History(data / "state")

    def wait_until_ready(self) -> None:
        """Until it says so."""
        eventually(lambda: "ready in" in self.text or self.process.poll() is not None, "sign of the stack", 60)
        assert self.process.poll() is None, self.text

    @property
    def text(self) -> str:
        """What it has written to its terminal."""
        return self.log.read_text()

    @property
    def endpoint_url(self) -> str:
        return json.loads((self.data / "state" / "stack.json").read_text())["endpoint_url"]

    def put(self, source: Path | bytes, key: str) -> Path:
        """Copy a file into the inbox as `cp` would."""
        target = self.inbox / key
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(source, bytes):
            target.write_bytes(source)
        else:
            shutil.copyfile(source, target)
        return target

    def runs_of(self, key: str) -> list[Run]:
        """All runs that had this key among their inputs."""
        return [run for run in self.history.runs() if key in [item["key"] for item in run.record["inputs"]]]

    def final(self, key: str, count: int = 1, patience_s: float = 60.0) -> Run:
        """The last run of a key, once it has come to an end `count` times."""

        def ends() -> list[Run]:
            found = [run for run in self.runs_of(key) if run.outcome in FINAL]
            return found if len(found) >= count else []

        return eventually(ends, f"end of {key}; the stack said:\n{self.text}", patience_s)[-1]

    def mirrored(self, run: Run) -> list[Path]:
        """The files that a run's outputs became."""
        eventually(lambda: is_mirrored(run, self.outputs), f"mirror of {run.record['outputs']}", 10)
        return [self.outputs / output["key"] for output in run.record["outputs"]]

    def children(self) -> dict[str, int]:
        """Process ids of the supervisor's children by a word of their command line."""
        found = {}
        listing = subprocess.run(
            ["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
        ).stdout
        for line in listing.splitlines():
            pid, parent, command = line.split(None, 2)
            if int(parent) == self.process.pid:
                words = ("localstack_main", "aws-lambda-rie", "runner poll", "runner watch")
                name = next((word for word in words if word in command), None)
                if name:  # else it is between fork and exec
                    found[name] = int(pid)
        return found

    def stop(self) -> float:
        """Press Ctrl-C; gives the seconds until the end."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=20)
        self.history.close()
        return time.monotonic() - began


@contextmanager
def running(data: Path, *options: str, **variables: str) -> Iterator[Stack]:
    """A stack for the body."""
    stack = Stack(data, *options, **variables)
    try:
        yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for all tests that leave it as they found it."""
    with running(tmp_path_factory.mktemp("stack")) as made:
        yield made


@pytest.fixture(scope="session")
def described() -> template.StackTemplate:
    """What template.yaml says."""
    return template.load(ROOT / "template.yaml")


def queue_depths(stack: Stack, described: template.StackTemplate) -> dict[str, int]:
    """How many messages are in the queue (waiting and in flight) and in the dead-letter queue."""
    sqs = aws.local_sqs(stack.endpoint_url)
    depths = {}
    for name in (described.queue_name, described.dead_letter_queue_name):
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        depths[name] = int(got["ApproximateNumberOfMessages"]) + int(got["ApproximateNumberOfMessagesNotVisible"])
    return depths
