"""Files that cannot be read: each goes to the dead-letter queue, with an error that says what to do."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from runner.template.stack_template import StackTemplate
from runner.testing.stacks import Stack, eventually
from tests.support.bad_files import BAD, REASONS
from tests.support.commands import failures, verify_reconcile
from tests.support.outcomes import etag, messages, objects_of, verify_outcomes
from tests.support.partial_writes import write_in_two_parts
from tests.support.stacks import BACKENDS, TIDE


@pytest.fixture(scope="module", params=BACKENDS)
def stack(request: pytest.FixtureRequest) -> Stack:
    """Drop all bad files at once on the shared stack of each backend."""
    made: Stack = request.getfixturevalue(f"{request.param}_stack")
    for key, make, is_bad in BAD.values():
        content = make()
        assert is_bad(content), key
        made.put(content, key)
    for key, *_ in BAD.values():
        made.final(key)
    return made


@pytest.fixture(scope="module")
def shown(stack: Stack) -> dict[str, dict[str, Any]]:
    """Return the rows of `runner failures`."""
    return failures(stack)


def test_each_bad_file_is_dead_lettered_with_its_error(shown: dict[str, dict[str, Any]], described: StackTemplate):
    for what, (key, *_) in BAD.items():
        assert (shown[key]["tried"], shown[key]["in_dead_letter_queue"]) == (described.max_receive_count, True), what
        assert shown[key]["error"]["message"] == f"{Path(key).name} {REASONS[what]}", what


def test_all_bad_files_are_accounted_for(stack: Stack, described: StackTemplate):
    # Other tests killed this stack's LocalStack, and the messages that it had in its queues are lost.
    outcomes = verify_reconcile(stack, described, None, reset=True).outcomes
    assert {outcomes[key] for key, *_ in BAD.values()} == {"dead-lettered"}
    bodies = messages(stack, described.dead_letter_queue_name)
    letters = Counter(key for body in bodies for key, _ in objects_of(body))
    assert {letters[key] for key, *_ in BAD.values()} == {1}


def test_a_partial_file_fails_and_the_complete_one_succeeds(embedded_stack: Stack, described: StackTemplate):
    key, content = f"tide_gauge/mcrl/half/{TIDE.name}", TIDE.read_bytes()
    write_in_two_parts(embedded_stack, key, content)
    error = embedded_stack.runs_of(key)[0].record["error"]
    assert error is not None
    assert error["message"] == f"{TIDE.name} {REASONS['torn log']}"  # cut at the same place
    eventually(
        lambda: embedded_stack.state.versions.outcome((key, etag(content))) == "succeeded", "run of the complete file"
    )
    assert verify_outcomes(embedded_stack, described, None).outcomes[key] == "succeeded"
