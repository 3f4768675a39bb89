"""A pipeline that unpacks archives without checks, unlike the shipped ones, never receives an unsafe one."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from runner.template.stack_template import StackTemplate
from runner.testing.stacks import Stack
from tests.support import digests, killing
from tests.support.bad_files import BAD, ENTRY, OUTSIDE, REASONS, UNSAFE, harmless_archives
from tests.support.commands import failures
from tests.support.outcomes import verify_outcomes


def exists(path: Path, stack: Stack) -> bool:
    """Return whether a file exists where the Lambda runs: on this machine or in its container."""
    root = Path(f"/proc/{killing.pid_of(stack, 'runtime')}/root")
    return (root / path.relative_to("/")).exists()


def test_unsafe_archives_do_not_reach_a_pipeline_that_would_unpack_them(stack: Stack, described: StackTemplate):
    own = f"{uuid.uuid4().hex}.txt"  # without Docker, all tests share /tmp
    fine = {f"trusting/noop.unpack.{kind}.{own}": made for kind, made in harmless_archives().items()}
    unsafe = {f"trusting/noop.unpack.{what.replace(' ', '-')}.{own}": what for what in UNSAFE}
    try:
        for key, content in fine.items():  # proves that it unpacks, and that this would be noticed
            stack.put(content, key)
            assert stack.final(key).outcome == "succeeded"
            assert exists(digests.unpacked(key) / ENTRY, stack)
        for key, what in unsafe.items():
            _, make, is_bad = BAD[what]
            content = make()
            assert is_bad(content)
            stack.put(content, key)
        for key in unsafe:
            stack.final(key)
        shown = failures(stack)
        for key, what in unsafe.items():
            assert shown[key]["error"]["message"] == f"{Path(key).name} {REASONS[what]}"
            assert not exists(digests.unpacked(key), stack)
        assert not exists(OUTSIDE, stack)
        outcomes = verify_outcomes(stack, described, digests.expected).outcomes
        assert {outcomes[key] for key in unsafe} == {"dead-lettered"}
    finally:
        for key in (*fine, *unsafe):
            shutil.rmtree(digests.unpacked(key), ignore_errors=True)
