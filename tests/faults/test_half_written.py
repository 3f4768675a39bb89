"""A file whose writer pauses longer than the settle time: each state is a version, and the whole one counts."""

from __future__ import annotations

import pytest

from runner.template.stack_template import StackTemplate
from runner.testing.stacks import Stack, eventually
from tests.support.digests import expected
from tests.support.halves import write_in_two
from tests.support.ledger import balanced, etag


@pytest.fixture(params=["embedded", "docker"])
def stack(request: pytest.FixtureRequest) -> Stack:
    return request.getfixturevalue(f"{request.param}_digests")


def test_a_pause_leads_to_a_run_of_the_half_and_one_of_the_whole(stack: Stack, described: StackTemplate):
    key, content = "half/noop.txt", b"half" + b"whole" * 1000
    write_in_two(stack, key, content)
    eventually(lambda: stack.state.versions.outcome((key, etag(content))) == "succeeded", "run of the whole")
    assert balanced(stack, described, expected).outcomes[key] == "succeeded"
