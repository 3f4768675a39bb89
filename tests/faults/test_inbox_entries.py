"""What lies in an inbox besides readable files: each has an answer, in the log and in the commands."""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.template.stack_template import StackTemplate
from runner.testing.docker_stack import DockerStack
from runner.testing.stacks import Stack, eventually
from tests.support import commands
from tests.support.digests import expected
from tests.support.outcomes import verify_outcomes
from tests.support.rights import ordinary_rights

CLOSED = "it cannot be read: Permission denied. It is taken when it can be."
UNLISTED = "it cannot be listed: Permission denied. Its files are taken when it can be."
PIPE = "it is a pipe, not a regular file. Write its contents to one, and remove it here."
DANGLING = (
    "it is a link to {}, where the stack finds nothing. Correct the link, or put the file here. "
    "With Docker, a link can only lead to a place inside the data folder."
)


@pytest.fixture
def folder(stack: Stack) -> Iterator[Path]:
    """Return a folder of the inbox that is removed afterwards."""
    made = stack.inbox / "entries"
    made.mkdir()
    yield made
    for path in made.rglob("*"):
        if path.is_dir():
            path.chmod(0o700)
    shutil.rmtree(made)


def problems(stack: Stack) -> dict[str, str]:
    """Return what `runner reconcile` cannot account for, and require its exit code."""
    with ordinary_rights():
        code, report = commands.reconcile(stack)
    assert code == (1 if report["unaccounted"] else 0)
    return {row["key"]: row["problem"] for row in report["unaccounted"]}


def status(stack: Stack, *options: str) -> dict[str, str]:
    with ordinary_rights():
        return {row["file"]: row["text"] for row in commands.rows("status", stack, *options)}


def test_what_cannot_be_read_is_shown_and_taken_when_it_can_be(stack: Stack, folder: Path):
    for name in ("entries/noop.closed.txt", "entries/closed/noop.in-it.txt"):
        stack.inbox.joinpath(name).parent.mkdir(exist_ok=True)
        descriptor = os.open(stack.inbox / name, os.O_CREAT | os.O_WRONLY, 0)
        os.write(descriptor, name.encode())
        os.close(descriptor)
    (folder / "closed").chmod(0)
    wanted = {"entries/closed/": UNLISTED, "entries/noop.closed.txt": CLOSED}
    eventually(lambda: all(f"✗ {key}: {reason}" in stack.text for key, reason in wanted.items()), "reasons in the log")
    assert problems(stack) == wanted
    assert status(stack, "--outcome", "unaccounted") == wanted
    (folder / "closed").chmod(0o700)
    for name in ("noop.closed.txt", "closed/noop.in-it.txt"):
        (folder / name).chmod(0o600)
        assert stack.final(f"entries/{name}").outcome == "succeeded"
    eventually(lambda: not problems(stack), "account of every file")


def test_what_is_no_file_is_refused_by_name(stack: Stack, folder: Path):
    os.mkfifo(folder / "noop.pipe.txt")
    (folder / "noop.dangling.txt").symlink_to("/nowhere/at-all.txt")
    wanted = {"entries/noop.pipe.txt": PIPE, "entries/noop.dangling.txt": DANGLING.format("/nowhere/at-all.txt")}
    eventually(lambda: all(f"✗ {key}: {reason}" in stack.text for key, reason in wanted.items()), "reasons in the log")
    assert status(stack, "--outcome", "refused") == wanted
    assert problems(stack) == {}


def test_a_linked_folder_is_followed_or_refused_by_name(stack: Stack, folder: Path, tmp_path: Path):
    (folder / "inside").mkdir()
    (folder / "station").symlink_to("inside")
    (folder / "outside").symlink_to(tmp_path)
    (folder / "inside/noop.in.txt").write_text("in")
    (tmp_path / "noop.out.txt").write_text("out")
    assert stack.final("entries/station/noop.in.txt").outcome == "succeeded"
    assert stack.final("entries/inside/noop.in.txt").outcome == "succeeded"
    if isinstance(stack, DockerStack):
        refused = {key: DANGLING.format(tmp_path) for key in ("entries/outside", "entries/outside/noop.out.txt")}
        eventually(lambda: status(stack, "--outcome", "refused") == refused, "refusal of the link")
    else:
        assert stack.final("entries/outside/noop.out.txt").outcome == "succeeded"
    assert problems(stack) == {}


def test_a_tree_that_is_moved_in_is_taken_with_names_in_both_unicode_forms(
    stack: Stack, described: StackTemplate, tmp_path: Path
):
    keys = [f"tree/{a}/{unicodedata.normalize(form, 'é')}/noop.{a}{b}.txt"
            for a in range(10) for form in ("NFC", "NFD") for b in range(3)]  # fmt: skip
    elsewhere = stack.data / "elsewhere"
    for key in keys:
        (elsewhere / key).parent.mkdir(parents=True, exist_ok=True)
        (elsewhere / key).write_text(key)
    os.utime(elsewhere / keys[0], (2**32, 2**32))  # its clock is in the next century
    (elsewhere / "tree").rename(stack.inbox / "tree")
    for key in keys:
        assert stack.final(key).outcome == "succeeded"
    verify_outcomes(stack, described, expected)


def test_an_inbox_that_is_removed_and_made_again_is_watched(stack: Stack):
    if isinstance(stack, DockerStack):
        pytest.skip("the folder that Docker mounts is the one above it, as in the other stack")
    stack.put(b"before", "again/noop.before.txt")
    assert stack.final("again/noop.before.txt").outcome == "succeeded"
    kept = stack.inbox.rename(stack.data / "kept")
    stack.inbox.mkdir()
    try:
        stack.put(b"after", "again/noop.after.txt")
        assert stack.final("again/noop.after.txt").outcome == "succeeded"
        stack.put(b"more", "again/noop.more.txt")
        assert stack.final("again/noop.more.txt").outcome == "succeeded"
    finally:
        shutil.copytree(stack.inbox, kept, dirs_exist_ok=True)
        shutil.rmtree(stack.inbox)
        kept.rename(stack.inbox)
