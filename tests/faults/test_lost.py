"""LocalStack, and then the whole stack, is killed while there are files in every state."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from runner.aws import clients, emulator_api
from runner.aws.s3 import bucket_epoch, object_etag
from runner.template.stack_template import StackTemplate
from runner.testing.docker_stack import DockerStack
from runner.testing.embedded_stack import EmbeddedStack
from runner.testing.stacks import Stack, eventually
from tests.support import killing
from tests.support.commands import verify_reconcile
from tests.support.digests import expected, open_gate, project
from tests.support.outcomes import Report, etag, in_flight, messages, verify_outcomes
from tests.support.stacks import BACKENDS, running_on


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(tmp_path_factory.mktemp("lost") / "project")


@pytest.fixture(scope="module", params=BACKENDS)
def stack(request: pytest.FixtureRequest, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Start a stack for this module alone, because its buckets lose their objects."""
    with running_on(request.param, tmp_path_factory.mktemp("lost-data"), root) as made:
        yield made


def in_every_state(stack: Stack, described: StackTemplate, folder: str) -> dict[str, str]:
    """Bring a file into each state that there is, and return their keys by state."""
    own = f"{folder}.{type(stack).__name__}"  # both backends share the project and its gates
    states = ("ended", "raise", "hold", "waiting", "older", "again")
    keys = {state: f"{folder}/noop.{state}.{own}.txt" for state in states}
    keys["skipped"] = f"{folder}/unknown.bin"
    at_once = ("ended", "raise", "skipped", "older", "again")
    for state in at_once:
        stack.put(keys[state].encode(), keys[state])
    for state in at_once:
        stack.final(keys[state])
    eventually(lambda: len(messages(stack, described.dead_letter_queue_name)) == 1, "dead letter")
    stack.mirrored(stack.final(keys["older"]))
    in_the_way(stack, keys["older"]).mkdir()
    for state in ("older", "again"):
        stack.put(b"another version", keys[state])
    stack.final(keys["again"], count=2)
    # Its run succeeds, but its output cannot be copied: so it is not recorded, and its message stays in the queue.
    eventually(lambda: in_flight(stack, described.queue_name) == 1, "run whose output is not copied")
    for state in ("hold", "waiting", "again"):
        path = stack.put(keys[state].encode(), keys[state])
        eventually(lambda key=keys[state], path=path: stored(stack, described, key, path), f"upload of {keys[state]}")
    eventually(lambda: len(messages(stack, described.queue_name)) == 4, "four messages")
    assert not stack.runs_of(keys["hold"])
    assert not stack.runs_of(keys["waiting"])
    assert len(stack.finished(keys["again"])) == 2
    assert len(stack.runs_of(keys["older"])) == 1
    outputs = [stack.outputs / name for name in expected(keys["ended"], keys["ended"].encode())]
    eventually(lambda: all(path.is_file() for path in outputs), "outputs in the folder")
    return keys


def in_the_way(stack: Stack, key: str) -> Path:
    """Return the path of a folder that keeps the output of all versions of a file out of the outputs folder."""
    path = stack.outputs / "latest" / key
    return path.with_name(f".{path.name}.part")


def stored(stack: Stack, described: StackTemplate, key: str, path: Path | None = None) -> bool:
    """Return whether the bucket has an object, with the content of a file if one is passed."""
    found = object_etag(clients.local_s3(stack.endpoint_url), described.source_bucket, key)
    return found is not None if path is None else found == etag(path.read_bytes())


def verify_all(stack: Stack, described: StackTemplate, keys: dict[str, str]) -> Report:
    """Check that unfinished files are processed, and finished ones are not processed again."""
    for state, count in (("hold", 1), ("waiting", 1), ("older", 2), ("again", 3)):
        assert stack.final(keys[state], count).outcome == "succeeded"
    made = verify_outcomes(stack, described, expected, reset=True)
    outcomes = {state: made.outcomes[key] for state, key in keys.items()}
    assert outcomes == {
        "ended": "succeeded", "raise": "dead-lettered", "hold": "succeeded", "waiting": "succeeded",
        "skipped": "skipped", "older": "succeeded", "again": "succeeded",
    }  # fmt: skip
    assert len(stack.runs_of(keys["ended"])) == 1
    assert len(stack.runs_of(keys["skipped"])) == 1
    return made


def test_localstack_is_killed_and_restarts_empty(stack: Stack, described: StackTemplate, root: Path):
    keys, local = in_every_state(stack, described, "aws"), killing.pid_of(stack, "aws")
    before = bucket_epoch(clients.local_s3(stack.endpoint_url), described.source_bucket)
    assert before
    killing.kill(stack, local)
    killing.replacement(stack, "aws", local)
    s3 = clients.local_s3(stack.endpoint_url)
    after = eventually(lambda: emulator_api.answers(s3) and bucket_epoch(s3, described.source_bucket), "new buckets")
    assert after != before
    assert not stored(stack, described, keys["ended"])
    in_the_way(stack, keys["older"]).rmdir()
    open_gate(root, keys["hold"])
    verify_all(stack, described, keys)


def test_localstack_is_killed_again_while_it_starts(stack: Stack, described: StackTemplate):
    key, local = "again/noop.txt", killing.pid_of(stack, "aws")
    for _ in range(2):
        killing.kill(stack, local)
        local = killing.replacement(stack, "aws", local)
    killing.kill(stack, local)
    assert not isinstance(stack, EmbeddedStack) or killing.alive(stack.process.pid)
    stack.put(key.encode(), key)
    killing.replacement(stack, "aws", local)
    assert stack.final(key).outcome == "succeeded"
    assert verify_outcomes(stack, described, expected, reset=True).outcomes[key] == "succeeded"


def test_the_whole_stack_is_killed_and_started_again(stack: Stack, described: StackTemplate, root: Path):
    keys, processes = in_every_state(stack, described, "everything"), killing.processes_of(stack)
    if isinstance(stack, DockerStack):
        for pid in processes:
            with suppress(ProcessLookupError):  # a health check ends by itself
                os.kill(pid, signal.SIGKILL)
    elif isinstance(stack, EmbeddedStack):
        killing.kill(stack, stack.process.pid)
        stack.process.wait()
    eventually(lambda: not [pid for pid in processes if killing.alive(pid)], "end of all processes", 5)
    in_the_way(stack, keys["older"]).rmdir()
    (stack.inbox / keys["ended"]).touch()  # a new time, but the same content
    open_gate(root, keys["hold"])
    stack.start()
    assert not set(processes) & set(killing.processes_of(stack))
    assert not stored(stack, described, keys["ended"])
    verify_all(stack, described, keys)


def test_reconcile_agrees(stack: Stack, described: StackTemplate):
    verify_reconcile(stack, described, expected, reset=True)
