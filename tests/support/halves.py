"""A file that is taken for whole when half of it is written."""

from __future__ import annotations

from runner.testing.stacks import Stack, eventually
from tests.support.ledger import etag


def write_in_two(stack: Stack, key: str, content: bytes) -> None:
    """Write half, and the rest only when the half was taken for a file and has run."""
    target = stack.inbox / key
    target.parent.mkdir(parents=True)
    half = content[: len(content) // 2]
    with target.open("wb", buffering=0) as file:
        file.write(half)
        taken = eventually(lambda: stack.runs_of(key), f"run of half of {key}")
        assert taken[0].record["inputs"][0]["etag"] == etag(half)
        file.write(content[len(half) :])
