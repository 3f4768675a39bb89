"""Files whose writer pauses longer than the settle time: each state is a version, and the whole one counts."""

from __future__ import annotations

import pytest
from bad_files import REASONS
from conftest import SAMPLES
from digests import expected
from ledger import balanced, etag

from runner.backends import Stack, eventually
from runner.template import StackTemplate

TIDE = next((SAMPLES / "tide_gauge").glob("*/*.log"))


@pytest.fixture(params=["embedded", "docker"])
def stack(request: pytest.FixtureRequest) -> Stack:
    return request.getfixturevalue(f"{request.param}_digests")


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


def test_a_pause_leads_to_a_run_of_the_half_and_one_of_the_whole(stack: Stack, described: StackTemplate):
    key, content = "half/noop.txt", b"half" + b"whole" * 1000
    write_in_two(stack, key, content)
    eventually(lambda: stack.history.outcome(key, etag(content)) == "succeeded", "run of the whole")
    assert balanced(stack, described, expected).outcomes[key] == "succeeded"


def test_a_torn_half_fails_and_the_whole_succeeds(embedded_stack: Stack, described: StackTemplate):
    key, content = f"tide_gauge/mcrl/half/{TIDE.name}", TIDE.read_bytes()
    write_in_two(embedded_stack, key, content)
    error = embedded_stack.runs_of(key)[0].record["error"]
    assert error is not None
    assert error["message"] == f"{TIDE.name} {REASONS['torn log']}"  # which is cut at the same place
    eventually(lambda: embedded_stack.history.outcome(key, etag(content)) == "succeeded", "run of the whole")
    assert balanced(embedded_stack, described, None).outcomes[key] == "succeeded"
