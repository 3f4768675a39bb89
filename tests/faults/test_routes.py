"""Files that match no pipeline, and files that match two."""

from __future__ import annotations

from runner.template.stack_template import StackTemplate
from runner.testing.stacks import Stack
from tests.support.commands import failure_message
from tests.support.digests import expected
from tests.support.outcomes import verify_outcomes


def test_a_name_without_a_route_is_skipped_and_known_routes_are_listed(stack: Stack, described: StackTemplate):
    key = "routes/lidar.bin"
    stack.put(b"?", key)
    assert stack.final(key).record["reason"] == (
        "No pipeline matches 'routes/lidar.bin'. Known routes:\n"
        "  pipelines/noop/config/pipeline.yaml ← '.*noop.*txt'\n"
        "  pipelines/rival/config/pipeline.yaml ← '.*rival.*'\n"
        "Add one in pipelines/routes.yaml, or to the triggers of a pipeline's config."
    )
    assert verify_outcomes(stack, described, expected).outcomes[key] == "skipped"


def test_a_name_with_two_routes_is_dead_lettered_and_both_are_listed(stack: Stack, described: StackTemplate):
    key = "routes/noop.rival.txt"
    stack.put(b"whose?", key)
    stack.final(key)
    assert verify_outcomes(stack, described, expected).outcomes[key] == "dead-lettered"
    assert failure_message(stack, key) == (
        "'routes/noop.rival.txt' matches 2 routes:\n"
        "  pipelines/noop/config/pipeline.yaml ← '.*noop.*txt'\n"
        "  pipelines/rival/config/pipeline.yaml ← '.*rival.*'\n"
        "Make the patterns in pipelines/routes.yaml or the triggers in these configs more specific, or write "
        "`multidispatch: true` in pipelines/routes.yaml to run each of them."
    )
