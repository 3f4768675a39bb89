"""Files for which there is no pipeline, and files for which there are two."""

from __future__ import annotations

import pytest

from runner.template.stack_template import StackTemplate
from runner.testing.stacks import Stack
from tests.support.commands import agrees, message
from tests.support.digests import expected
from tests.support.ledger import balanced


@pytest.fixture(params=["embedded", "docker"])
def stack(request: pytest.FixtureRequest) -> Stack:
    return request.getfixturevalue(f"{request.param}_digests")


def test_a_name_without_a_route_is_skipped_with_the_known_ones(stack: Stack, described: StackTemplate):
    key = "routes/lidar.bin"
    stack.put(b"?", key)
    assert stack.final(key).record["reason"] == (
        "No pipeline matches 'routes/lidar.bin'. Known routes:\n"
        "  pipelines/noop/config/pipeline.yaml ← '.*noop.*txt'\n"
        "  pipelines/rival/config/pipeline.yaml ← '.*rival.*'\n"
        "Add one in pipelines/routes.yaml, or to the triggers of a pipeline's config."
    )
    assert balanced(stack, described, expected).outcomes[key] == "skipped"


def test_a_name_with_two_routes_is_dead_lettered_with_both(stack: Stack, described: StackTemplate):
    key = "routes/noop.rival.txt"
    stack.put(b"whose?", key)
    stack.final(key)
    assert balanced(stack, described, expected).outcomes[key] == "dead-lettered"
    assert message(stack, key) == (
        "'routes/noop.rival.txt' matches 2 routes:\n"
        "  pipelines/noop/config/pipeline.yaml ← '.*noop.*txt'\n"
        "  pipelines/rival/config/pipeline.yaml ← '.*rival.*'\n"
        "Make the patterns in pipelines/routes.yaml or the triggers in these configs more specific."
    )


def test_reconcile_says_the_same(stack: Stack, described: StackTemplate):
    agrees(stack, described, expected)
