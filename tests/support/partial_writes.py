"""A writer that pauses in the middle of a file for longer than the settle time."""

from __future__ import annotations

from runner.testing.stacks import Stack, eventually
from tests.support.outcomes import etag


def write_in_two_parts(stack: Stack, key: str, content: bytes) -> None:
    """Write the first half of a file, wait until it was uploaded and has run, and append the second half."""
    target = stack.inbox / key
    target.parent.mkdir(parents=True)
    half = content[: len(content) // 2]
    with target.open("wb", buffering=0) as file:
        file.write(half)
        runs = eventually(lambda: stack.runs_of(key), f"run of the first half of {key}")
        assert runs[0].record["inputs"][0]["etag"] == etag(half)
        file.write(content[len(half) :])
