"""A writer that pauses for longer than the settle time: each state is a version, and the complete one counts."""

from __future__ import annotations

from runner.template.stack_template import StackTemplate
from runner.testing.stacks import Stack, eventually
from tests.support.digests import expected
from tests.support.outcomes import etag, verify_outcomes
from tests.support.partial_writes import write_in_two_parts


def test_a_paused_write_leads_to_a_run_of_each_part(stack: Stack, described: StackTemplate):
    key, content = "half/noop.txt", b"half" + b"whole" * 1000
    write_in_two_parts(stack, key, content)
    eventually(lambda: stack.state.versions.outcome((key, etag(content))) == "succeeded", "run of the complete file")
    assert verify_outcomes(stack, described, expected).outcomes[key] == "succeeded"
