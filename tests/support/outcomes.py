"""Check independently of the stack what became of every file in its inbox.

Reads the inbox, the buckets, the queues, the outputs folder and the recorded runs. Each file must have its outputs,
correct to the byte, or a skip with a reason, or one message in the dead-letter queue with a reason; nothing may occur
twice, be missing, or be left in the queue.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from runner.aws import clients, emulator_api
from runner.errors import StackError
from runner.ignored_names import IGNORED_NAMES
from runner.template.stack_template import StackTemplate
from runner.testing.stacks import Stack, eventually

_PART_BYTES = 16 * 1024 * 1024
Expected = Callable[[str, bytes], dict[str, bytes]]
"""Returns the outputs that a key with a content must lead to: contents by key."""


@dataclass
class Report:
    """The outcome of each file, and what is wrong with it."""

    outcomes: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    unrelated: list[str] = field(default_factory=list)
    """Bodies of dead letters that name no file in the inbox."""

    def counts(self) -> Counter[str]:
        """Return the number of files by outcome."""
        return Counter(self.outcomes.values())


def etag(content: bytes) -> str:
    """Return S3's ETag of a content: its MD5, or for a multipart upload the MD5 of its parts' MD5s."""
    if len(content) < _PART_BYTES:
        return hashlib.md5(content, usedforsecurity=False).hexdigest()
    parts = [content[at : at + _PART_BYTES] for at in range(0, len(content), _PART_BYTES)]
    sums = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)
    return f"{hashlib.md5(sums, usedforsecurity=False).hexdigest()}-{len(parts)}"


def messages(stack: Stack, queue: str) -> list[str]:
    """Return the bodies of all messages in a queue, in flight and delayed ones included, without receiving them."""
    url = clients.local_sqs(stack.endpoint_url).get_queue_url(QueueName=queue)["QueueUrl"]
    return [message["Body"] for message in emulator_api.messages(stack.endpoint_url, url)]


def in_flight(stack: Stack, queue: str) -> int:
    """Return the number of a queue's messages that were received and neither deleted nor released."""
    sqs, name = clients.local_sqs(stack.endpoint_url), "ApproximateNumberOfMessagesNotVisible"
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


def objects_of(body: str) -> Iterator[tuple[str, str]]:
    """Yield key and ETag of each object in an S3 event; nothing for any other message."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        for record in json.loads(body)["Records"]:
            entity = record["s3"]["object"]
            yield urllib.parse.unquote_plus(entity["key"]), entity["eTag"]


class _Runs:
    """The last recorded run of each object, by key and ETag, and the keys of all outputs."""

    def __init__(self, data: Path) -> None:
        query = "SELECT key, etag, v.outcome, record FROM versions v LEFT JOIN runs r ON r.id = run_id"
        self.latest: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}
        self.outputs: set[str] = set()
        with contextlib.closing(sqlite3.connect(data / "state" / "state.sqlite", timeout=10)) as db:
            for key, tag, outcome, record in db.execute(query):
                self.latest[key, tag] = outcome, json.loads(record or "{}")
            for (record,) in db.execute("SELECT record FROM runs"):
                self.outputs |= {output["key"] for output in json.loads(record)["outputs"]}


def _is_ignored(key: str) -> bool:
    return any(fnmatchcase(part.lower(), pattern) for part in key.split("/") for pattern in IGNORED_NAMES)


def _is_refused(key: str) -> bool:
    name = key.encode(errors="surrogateescape")
    return len(name) > 1024 or name.decode(errors="replace") != key


class _Outputs:
    """The destination bucket and the folder that mirrors it."""

    def __init__(self, stack: Stack, described: StackTemplate) -> None:
        s3 = clients.local_s3(stack.endpoint_url)
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=described.destination_bucket)
        self.etags = {item["Key"]: item["ETag"].strip('"') for page in pages for item in page.get("Contents", [])}
        self._folder = stack.outputs

    def folder_has(self, key: str, content: bytes | None) -> bool:
        """Return whether the folder has an output, with this content if it is known."""
        path = self._folder / key
        return path.is_file() and (content is None or path.read_bytes() == content)


def current_report(stack: Stack, described: StackTemplate, expected: Expected | None, *, reset: bool) -> Report:
    """Report on a stack as it is now; for the arguments see `verify_outcomes`."""
    made, runs, outputs = Report(), _Runs(stack.data), _Outputs(stack, described)
    bodies = messages(stack, described.dead_letter_queue_name)
    dead = Counter(named for body in bodies for named in objects_of(body))
    made.problems += [f"still in the queue: {body[:300]}" for body in messages(stack, described.queue_name)]
    for path in sorted(path for path in stack.inbox.rglob("*") if path.is_file()):
        key = path.relative_to(stack.inbox).as_posix()
        if _is_ignored(key) or _is_refused(key):
            made.outcomes[key] = "ignored" if _is_ignored(key) else "refused"
            continue
        content = path.read_bytes()
        name = (key, etag(content))
        outcome, record = runs.latest.get(name, ("never run", {}))
        made.outcomes[key] = outcome
        made.problems += [f"{key}: {text}" for text in _run_problems(outcome, record, dead[name], reset)]
        if outcome == "succeeded":
            wanted: dict[str, bytes | None] = {output["key"]: None for output in record["outputs"]}
            wanted |= expected(key, content) if expected else {}
            made.problems += [f"{key}: {text}" for text in _output_problems(wanted, outputs, reset)]
    made.unrelated = [body for body in bodies if not any((stack.inbox / key).is_file() for key, _ in objects_of(body))]
    made.problems += [f"an output of no run: {key}" for key in outputs.etags.keys() - runs.outputs]
    made.problems += [f"twice in the dead-letter queue: {name}" for name, count in dead.items() if count > 1]
    return made


def _run_problems(outcome: str, record: dict[str, Any], dead_letters: int, reset: bool) -> Iterator[str]:
    error = record.get("error") or {}
    if outcome in ("never run", "uploaded", "failed", "retried"):
        yield f"not final, its last run is: {outcome} {error.get('message', '')}"
    if outcome == "skipped" and not record["reason"]:
        yield "skipped without a reason"
    if outcome == "dead-lettered" and not error.get("message"):
        yield "dead-lettered without a reason"
    if outcome == "dead-lettered" and not dead_letters and not reset:
        yield "dead-lettered, and not in the dead-letter queue"
    if outcome != "dead-lettered" and dead_letters:
        yield f"{outcome}, and also in the dead-letter queue"


def _output_problems(wanted: dict[str, bytes | None], outputs: _Outputs, reset: bool) -> Iterator[str]:
    if not wanted:
        yield "succeeded without outputs"
    for key, content in wanted.items():
        if key not in outputs.etags and not reset:
            yield f"its output {key} is not in the bucket"
        if key in outputs.etags and content is not None and outputs.etags[key] != etag(content):
            yield f"its output {key} in the bucket has other content than expected"
        if not outputs.folder_has(key, content):
            yield f"its output {key} is not in the folder, or has other content than expected"


def verify_outcomes(
    stack: Stack, described: StackTemplate, expected: Expected | None, *, reset: bool = False, patience_s: float = 60.0
) -> Report:
    """Wait until every file is accounted for and return the report.

    Args:
        expected: returns the outputs of a key with a content; None to rely on the run records.
        reset: the emulator was restarted empty, so that earlier outputs exist only in folders and records.

    Raises:
        StackError: something is still wrong after `patience_s` seconds; the message lists what.
    """
    last = Report(problems=["no report yet"])

    def no_problems() -> bool:
        nonlocal last
        last = current_report(stack, described, expected, reset=reset)
        return not last.problems

    try:
        eventually(no_problems, "correct outcome of every file", patience_s)
    except StackError as error:
        raise StackError("\n".join([str(error), *last.problems, "the stack printed:", stack.text[-5000:]])) from None
    return last
