"""A full disk: messages wait, no attempt counts, and work goes on by itself when there is room."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from runner.template.stack_template import StackTemplate
from runner.testing.stacks import Stack, eventually
from tests.support.commands import verify_reconcile
from tests.support.digests import expected, open_gate, project
from tests.support.small_disk import SmallDisk, mounted
from tests.support.stacks import BACKENDS, running_on

Disks = dict[str, SmallDisk]


@pytest.fixture(scope="module", params=BACKENDS)
def disks_and_stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, described: StackTemplate
) -> Iterator[tuple[Disks, Stack]]:
    folder = tmp_path_factory.mktemp("full")
    with ExitStack() as stack:
        disks = {name: stack.enter_context(mounted(folder / "data" / name)) for name in ("state", "outputs")}
        started = stack.enter_context(running_on(request.param, folder / "data", project(folder / "project")))
        yield disks, started
        verify_reconcile(started, described, expected)


@pytest.fixture
def disks(disks_and_stack: tuple[Disks, Stack]) -> Disks:
    return disks_and_stack[0]


@pytest.fixture
def stack(disks_and_stack: tuple[Disks, Stack]) -> Stack:
    return disks_and_stack[1]


def shown(disk: Path, stack: Stack) -> str:
    """Return a folder as the stack names it."""
    return f"the disk of {disk if str(stack.data) in stack.text else Path('/data', disk.name)}"


def require_one_run(stack: Stack, key: str) -> None:
    run = stack.final(key)
    assert (run.outcome, run.attempt) == ("succeeded", 1), run.record["error"]
    assert len(stack.runs_of(key)) == 1


@pytest.mark.parametrize("name", ["state", "outputs"])
def test_files_and_messages_wait_for_room(disks: Disks, stack: Stack, name: str):
    key, text = f"full/noop.{name}.txt", f"✗ {shown(disks[name].folder, stack)} is full: "
    before = stack.text.count(text)
    with disks[name].full():
        stack.put(b"waits", key)
        eventually(lambda: stack.text.count(text) > before, "report of the disk")
        assert " are needed. Delete something there; until then " in stack.text.partition(text)[2].partition("\n")[0]
        time.sleep(2)
        assert stack.runs_of(key) == []
    require_one_run(stack, key)


def test_what_runs_while_the_disks_become_full_is_recorded_later(disks: Disks, stack: Stack):
    key = f"full/noop.hold.{type(stack).__name__}.txt"
    stack.put(b"runs", key)
    eventually(lambda: stack.state.versions.with_outcome("uploaded"), "upload")
    time.sleep(2)  # the run begins
    with disks["state"].full(), disks["outputs"].full():
        open_gate(stack.data.parent / "project", key)
        time.sleep(12)  # longer than a lease: the message must not come back
        assert stack.runs_of(key) == []
    require_one_run(stack, key)


def test_a_run_that_needs_more_room_than_there_is_waits_for_the_templates_limit(
    disks: Disks, stack: Stack, request: pytest.FixtureRequest
):
    if "docker" in request.node.callspec.id:
        pytest.skip("its /tmp is a file system of its own, of the template's size")
    key = "full/noop.fill60mb.txt"
    with disks["state"].full(40 << 20):
        stack.put(b"fills", key)
        text = (
            "are needed for the Lambda's /tmp (EphemeralStorage in template.yaml). Delete something there; until then "
        )
        eventually(lambda: f"{text}messages wait." in stack.text, "report of the disk")
        assert stack.runs_of(key) == []
    require_one_run(stack, key)
