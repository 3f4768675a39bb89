"""File names that some part of the path could read as something else; each has to come out as itself."""

from __future__ import annotations

import unicodedata

import pytest

from runner.aws import clients
from runner.template.stack_template import StackTemplate
from runner.testing.stacks import Stack, eventually
from tests.support.commands import agrees
from tests.support.digests import expected
from tests.support.ledger import balanced, etag

CAFE = "café"
NAMES = [
    "a b", " leading and trailing ", "a+b", "100%", "%20", "%2F%2e%2e", "a&b=c", "me@here", "#1", "a?b=c#d", "a;b",
    "a:b", "it's", 'say "so"', "back\\slash", "$HOME `id` $(id)", "*", "[x]", "{x}", "~x", "tab\there",
    unicodedata.normalize("NFC", CAFE), unicodedata.normalize("NFD", CAFE), "🌊⚓", "\u202ereversed", "雨",
    "Case", "case", "CASE",
]  # fmt: skip


@pytest.fixture(params=["embedded", "docker"])
def stack(request: pytest.FixtureRequest) -> Stack:
    return request.getfixturevalue(f"{request.param}_digests")


def test_each_odd_name_is_a_file_of_its_own(stack: Stack, described: StackTemplate):
    keys = [f"odd/{name}/noop.{name}.txt" for name in NAMES]
    for key in keys:
        stack.put(key.encode(), key)
    assert len({path for path in (stack.inbox / "odd").rglob("*") if path.is_file()}) == len(NAMES)
    for key in keys:
        run = stack.final(key)
        assert run.outcome == "succeeded", run.record["error"]
        assert run.record["inputs"][0]["etag"] == etag(key.encode())
    balanced(stack, described, expected)


def test_a_name_with_a_line_end_is_skipped_by_its_name(stack: Stack, described: StackTemplate):
    key = "odd/noop\n.txt"  # no pattern of a route reaches over a line's end
    stack.put(key.encode(), key)
    assert (stack.final(key).record["reason"] or "").startswith(f"No pipeline matches {key!r}.")
    balanced(stack, described, expected)


def test_a_key_of_1024_bytes_is_taken_and_a_longer_one_refused(stack: Stack, described: StackTemplate):
    folder = "/".join(["long", *["é" * 110] * 4])
    longest = f"{folder}/noop.{'x' * (1024 - len(folder.encode()) - len('/noop..txt'))}.txt"
    assert len(longest.encode()) == 1024
    stack.put(longest.encode(), longest)
    stack.put(b"too long", longest.replace("noop", "noop."))
    assert stack.final(longest).outcome == "succeeded"
    said = "noop..xxx"
    eventually(lambda: said in stack.text, "refusal")
    assert "its path below the inbox has 1025 bytes, and S3 takes no more than 1024. Shorten it." in stack.text
    outcomes = balanced(stack, described, expected).outcomes
    assert outcomes[longest.replace("noop", "noop.")] == "refused"


@pytest.mark.parametrize("letter", ["x", "é", "🌊"])
def test_a_part_of_a_key_may_be_longer_than_a_file_name(stack: Stack, described: StackTemplate, letter: str):
    prefix, suffix = f"other/{letter}/noop.", ".txt"
    key = prefix + letter * ((1024 - len((prefix + suffix).encode())) // len(letter.encode())) + suffix
    content = key.encode()
    clients.local_s3(stack.endpoint_url).put_object(Bucket=described.source_bucket, Key=key, Body=content)
    run = stack.final(key)
    assert run.outcome == "succeeded", run.record["error"]
    output, made = next(iter(expected(key, content).items()))
    eventually(lambda: (stack.outputs / output).is_file(), "output")
    assert (stack.outputs / output).read_bytes() == made


def test_hidden_names_are_left_alone(stack: Stack, described: StackTemplate):
    for key in (".noop.hidden.txt", "..noop.txt", ".folder/noop.inside.txt"):
        stack.put(key.encode(), f"hidden/{key}")
    stack.put(b"last", "hidden/noop.last.txt")
    stack.final("hidden/noop.last.txt")
    outcomes = balanced(stack, described, expected).outcomes
    found = {key: outcome for key, outcome in outcomes.items() if key.startswith("hidden/")}
    assert found.pop("hidden/noop.last.txt") == "succeeded"
    assert list(found.values()) == ["left alone"] * 3
    assert not [run for run in stack.state.runs.after(0) for item in run.record["inputs"] if "hidden/." in item["key"]]


def test_reconcile_says_the_same(stack: Stack, described: StackTemplate):
    agrees(stack, described, expected)
