"""Files that cannot be read: each ends in the dead-letter queue, with a reason that says what to do."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from runner.template.stack_template import StackTemplate
from runner.testing.stacks import Stack, eventually
from tests.support.bad_files import BAD, REASONS
from tests.support.commands import agrees, failures
from tests.support.halves import write_in_two
from tests.support.ledger import balanced, etag, messages, objects_of
from tests.support.stacks import SAMPLES

TIDE = next((SAMPLES / "tide_gauge").glob("*/*.log"))


@pytest.fixture(scope="module", params=["embedded", "docker"])
def stack(request: pytest.FixtureRequest) -> Stack:
    """With all bad files dropped at once."""
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
    """What `runner failures` shows of them."""
    return failures(stack)


@pytest.mark.parametrize("what", BAD)
def test_a_bad_file_is_kept_with_its_reason(shown: dict[str, dict[str, Any]], what: str):
    key = BAD[what][0]
    assert (shown[key]["tried"], shown[key]["in_dead_letter_queue"]) == (3, True)
    assert shown[key]["error"]["message"] == f"{Path(key).name} {REASONS[what]}"


def test_all_of_them_are_accounted_for(stack: Stack, described: StackTemplate):
    # Other tests have killed the LocalStack of these stacks, and what it had in its queues then is gone.
    outcomes = agrees(stack, described, None, lost=True).outcomes
    assert {outcomes[key] for key, *_ in BAD.values()} == {"dead-lettered"}
    bodies = messages(stack, described.dead_letter_queue_name)
    letters = Counter(key for body in bodies for key, _ in objects_of(body))
    assert {letters[key] for key, *_ in BAD.values()} == {1}


def test_a_torn_half_fails_and_the_whole_succeeds(embedded_stack: Stack, described: StackTemplate):
    key, content = f"tide_gauge/mcrl/half/{TIDE.name}", TIDE.read_bytes()
    write_in_two(embedded_stack, key, content)
    error = embedded_stack.runs_of(key)[0].record["error"]
    assert error is not None
    assert error["message"] == f"{TIDE.name} {REASONS['torn log']}"  # which is cut at the same place
    eventually(lambda: embedded_stack.state.versions.outcome((key, etag(content))) == "succeeded", "run of the whole")
    assert balanced(embedded_stack, described, None).outcomes[key] == "succeeded"
