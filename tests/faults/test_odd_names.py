"""File names that a part of the path could misread; each must be processed under its own name."""

from __future__ import annotations

import unicodedata

from runner.aws import clients
from runner.template.stack_template import StackTemplate
from runner.testing.stacks import Stack, eventually
from tests.support.digests import expected
from tests.support.outcomes import etag, verify_outcomes

CAFE = "café"
NAMES = [
    "a b", " leading and trailing ", "a+b", "100%", "%20", "%2F%2e%2e", "a&b=c", "me@here", "#1", "a?b=c#d", "a;b",
    "a:b", "it's", 'say "so"', "back\\slash", "$HOME `id` $(id)", "*", "[x]", "{x}", "~x", "tab\there",
    unicodedata.normalize("NFC", CAFE), unicodedata.normalize("NFD", CAFE), "🌊⚓", "\u202ereversed", "雨",
    "Case", "case", "CASE",
]  # fmt: skip


def test_each_odd_name_is_processed_as_a_separate_file(stack: Stack, described: StackTemplate):
    keys = [f"odd/{name}/noop.{name}.txt" for name in NAMES]
    for key in keys:
        stack.put(key.encode(), key)
    assert len({path for path in (stack.inbox / "odd").rglob("*") if path.is_file()}) == len(NAMES)
    for key in keys:
        run = stack.final(key)
        assert run.outcome == "succeeded", run.record["error"]
        assert run.record["inputs"][0]["etag"] == etag(key.encode())
    verify_outcomes(stack, described, expected)


def test_a_name_with_a_newline_is_skipped(stack: Stack, described: StackTemplate):
    key = "odd/noop\n.txt"  # a route's pattern does not match across lines
    stack.put(key.encode(), key)
    assert (stack.final(key).record["reason"] or "").startswith(f"No pipeline matches {key!r}.")
    verify_outcomes(stack, described, expected)


def test_a_key_of_1024_bytes_is_processed_and_a_longer_one_refused(stack: Stack, described: StackTemplate):
    folder = "/".join(["long", *["é" * 110] * 4])
    longest = f"{folder}/noop.{'x' * (1024 - len(folder.encode()) - len('/noop..txt'))}.txt"
    assert len(longest.encode()) == 1024
    stack.put(longest.encode(), longest)
    stack.put(b"too long", longest.replace("noop", "noop."))
    assert stack.final(longest).outcome == "succeeded"
    eventually(lambda: "noop..xxx" in stack.text, "refusal")
    assert "its path below the inbox has 1025 bytes, and S3 allows 1024. Shorten it." in stack.text
    outcomes = verify_outcomes(stack, described, expected).outcomes
    assert outcomes[longest.replace("noop", "noop.")] == "refused"


def test_a_part_of_a_key_may_be_longer_than_a_file_name(stack: Stack, described: StackTemplate):
    s3, keys = clients.local_s3(stack.endpoint_url), []
    for letter in ("x", "é", "🌊"):
        prefix, suffix = f"other/{letter}/noop.", ".txt"
        keys += [prefix + letter * ((1024 - len((prefix + suffix).encode())) // len(letter.encode())) + suffix]
        s3.put_object(Bucket=described.source_bucket, Key=keys[-1], Body=keys[-1].encode())
    for key in keys:
        run = stack.final(key)
        assert run.outcome == "succeeded", run.record["error"]
        output, content = next(iter(expected(key, key.encode()).items()))
        eventually(lambda output=output: (stack.outputs / output).is_file(), f"output of {key}")
        assert (stack.outputs / output).read_bytes() == content


def test_hidden_names_are_ignored(stack: Stack, described: StackTemplate):
    for key in (".noop.hidden.txt", "..noop.txt", ".folder/noop.inside.txt"):
        stack.put(key.encode(), f"hidden/{key}")
    stack.put(b"last", "hidden/noop.last.txt")
    stack.final("hidden/noop.last.txt")
    outcomes = verify_outcomes(stack, described, expected).outcomes
    found = {key: outcome for key, outcome in outcomes.items() if key.startswith("hidden/")}
    assert found.pop("hidden/noop.last.txt") == "succeeded"
    assert list(found.values()) == ["ignored"] * 3
    assert not [run for run in stack.state.runs.after(0) for item in run.record["inputs"] if "hidden/." in item["key"]]
