"""A pipeline that unpacks whatever comes, as the shipped ones do not, is given nothing that is unsafe."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

import pytest

from runner.template.stack_template import StackTemplate
from runner.testing.stacks import Stack
from tests.support import digests, killing
from tests.support.bad_files import BAD, ENTRY, OUTSIDE, REASONS, UNSAFE, harmless_archives
from tests.support.commands import failures
from tests.support.ledger import balanced


@pytest.fixture(params=["embedded", "docker"])
def trusting(request: pytest.FixtureRequest) -> Stack:
    """One whose pipeline unpacks what comes, as the shipped ones do not."""
    made: Stack = request.getfixturevalue(f"{request.param}_digests")
    return made


def is_there(path: Path, stack: Stack) -> bool:
    """Whether a file exists where the Lambda runs: on this machine, or in its container."""
    root = Path(f"/proc/{killing.the(stack, 'runtime')}/root")
    return (root / path.relative_to("/")).exists()


def test_a_pipeline_that_unpacks_all_that_comes_gets_nothing_unsafe(trusting: Stack, described: StackTemplate):
    own = f"{uuid.uuid4().hex}.txt"  # without Docker, /tmp is that of all tests on this machine
    fine = {f"trusting/noop.unpack.{kind}.{own}": made for kind, made in harmless_archives().items()}
    unsafe = {f"trusting/noop.unpack.{what.replace(' ', '-')}.{own}": what for what in UNSAFE}
    try:
        for key, content in fine.items():  # to see that it unpacks, and that it would be seen
            trusting.put(content, key)
            assert trusting.final(key).outcome == "succeeded"
            assert is_there(digests.unpacked(key) / ENTRY, trusting)
        for key, what in unsafe.items():
            _, make, is_bad = BAD[what]
            content = make()
            assert is_bad(content)
            trusting.put(content, key)
        for key in unsafe:
            trusting.final(key)
        told = failures(trusting)
        for key, what in unsafe.items():
            assert told[key]["error"]["message"] == f"{Path(key).name} {REASONS[what]}"
            assert not is_there(digests.unpacked(key), trusting)
        assert not is_there(OUTSIDE, trusting)
        assert {balanced(trusting, described, digests.expected).outcomes[key] for key in unsafe} == {"dead-lettered"}
    finally:
        for key in (*fine, *unsafe):
            shutil.rmtree(digests.unpacked(key), ignore_errors=True)
