"""A balance sheet that trusts nothing of the stack's own accounts but its history: looks at the files themselves.

Every file in the inbox has to have its outputs, right to the byte, or a named skip, or its message in the dead-letter
queue with a reason in the history; nothing twice, nothing missing, nothing left in the queue.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from runner.aws import clients
from runner.errors import StackError
from runner.settings import IGNORED_NAMES
from runner.template.stack_template import StackTemplate
from runner.testing.stacks import Stack, eventually

_PART_BYTES = 16 * 1024 * 1024
Expected = Callable[[str, bytes], dict[str, bytes]]


@dataclass
class Sheet:
    """What became of each file, and what is wrong with that."""

    outcomes: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    """Bodies in the dead-letter queue that speak of no file in the inbox."""

    def counts(self) -> Counter[str]:
        """How many files ended how."""
        return Counter(self.outcomes.values())


def etag(content: bytes) -> str:
    """What S3 calls a content: its MD5, or that of its parts' MD5s."""
    parts = [content[at : at + _PART_BYTES] for at in range(0, len(content), _PART_BYTES)]
    sums = [hashlib.md5(part, usedforsecurity=False).digest() for part in parts]
    if len(content) < _PART_BYTES:
        return hashlib.md5(content, usedforsecurity=False).hexdigest()
    return f"{hashlib.md5(b''.join(sums), usedforsecurity=False).hexdigest()}-{len(sums)}"


def messages(stack: Stack, queue: str) -> list[str]:
    """The bodies of all messages in a queue, in flight and delayed ones included; looking changes nothing."""
    address = f"{stack.endpoint_url}/_aws/sqs/messages/{clients.REGION}/{clients.ACCOUNT}/{urllib.parse.quote(queue)}"
    request = urllib.request.Request(
        f"{address}?ShowInvisible=true&ShowDelayed=true", headers={"Accept": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        found = json.load(answer)["ReceiveMessageResponse"]["ReceiveMessageResult"] or {}
    listed = found.get("Message", [])
    return [message["Body"] for message in (listed if isinstance(listed, list) else [listed])]


def in_flight(stack: Stack, queue: str) -> int:
    """How many messages of a queue somebody has received and not yet deleted or given back."""
    sqs, name = clients.local_sqs(stack.endpoint_url), "ApproximateNumberOfMessagesNotVisible"
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


def objects_of(body: str) -> Iterator[tuple[str, str]]:
    """Key and ETag of each object that a message speaks of, as S3 itself words it."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        for record in json.loads(body)["Records"]:
            entity = record["s3"]["object"]
            yield urllib.parse.unquote_plus(entity["key"]), entity["eTag"]


class _Runs:
    """What the state file records of each object version."""

    def __init__(self, data: Path) -> None:
        query = "SELECT key, etag, v.outcome, record FROM versions v LEFT JOIN runs r ON r.id = run_id"
        self.latest: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}
        self.outputs: set[str] = set()
        with contextlib.closing(sqlite3.connect(data / "state" / "state.sqlite", timeout=10)) as db:
            for key, tag, outcome, record in db.execute(query):
                self.latest[key, tag] = outcome, json.loads(record or "{}")
            for (record,) in db.execute("SELECT record FROM runs"):
                self.outputs |= {output["key"] for output in json.loads(record)["outputs"]}


def _is_left_alone(key: str) -> bool:
    return any(fnmatchcase(part, pattern) for part in key.split("/") for pattern in IGNORED_NAMES)


def _is_refused(key: str) -> bool:
    name = key.encode(errors="surrogateescape")
    return len(name) > 1024 or name.decode(errors="replace") != key


class _Outputs:
    """The destination bucket and the folder that mirrors it."""

    def __init__(self, stack: Stack, described: StackTemplate) -> None:
        self._s3, self._bucket = clients.local_s3(stack.endpoint_url), described.destination_bucket
        self._folder = stack.outputs

    def listed(self) -> dict[str, str]:
        """ETags by key."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket)
        return {item["Key"]: item["ETag"].strip('"') for page in pages for item in page.get("Contents", [])}

    def folder_has(self, key: str, content: bytes | None) -> bool:
        """Whether the folder has an output, with a content if that is known."""
        path = self._folder / key
        return path.is_file() and (content is None or path.read_bytes() == content)


def sheet(stack: Stack, described: StackTemplate, expected: Expected | None, *, lost: bool = False) -> Sheet:
    """Make the balance sheet of a stack as it is now.

    Args:
        expected: the outputs that a key with a content must lead to; None when only the run record tells.
        lost: LocalStack has lost everything meanwhile, so what had ended before lives only in folders and history.
    """
    made = Sheet()
    runs, outputs = _Runs(stack.data), _Outputs(stack, described)
    listed = outputs.listed()
    bodies = messages(stack, described.dead_letter_queue_name)
    dead = Counter(named for body in bodies for named in objects_of(body))
    made.problems += [f"still in the queue: {body[:300]}" for body in messages(stack, described.queue_name)]
    for path in sorted(path for path in stack.inbox.rglob("*") if path.is_file()):
        key = path.relative_to(stack.inbox).as_posix()
        if _is_left_alone(key) or _is_refused(key):
            made.outcomes[key] = "left alone" if _is_left_alone(key) else "refused"
            continue
        content = path.read_bytes()
        name = (key, etag(content))
        outcome, record = runs.latest.get(name, ("never run", {}))
        made.outcomes[key] = outcome
        wanted: dict[str, bytes | None] = {output["key"]: None for output in record.get("outputs", [])}
        wanted = {**wanted, **expected(key, content)} if expected and outcome == "succeeded" else wanted
        made.problems += [f"{key}: {text}" for text in _wrong(outcome, record, dead[name], lost)]
        if outcome == "succeeded":
            made.problems += [f"{key}: {text}" for text in _wrong_outputs(wanted, listed, outputs, lost)]
    made.foreign = [body for body in bodies if not any((stack.inbox / key).is_file() for key, _ in objects_of(body))]
    made.problems += [f"an output of no run: {key}" for key in listed.keys() - runs.outputs]
    made.problems += [f"twice in the dead-letter queue: {name}" for name, count in dead.items() if count > 1]
    return made


def _wrong(outcome: str, record: dict[str, Any], dead_letters: int, lost: bool) -> Iterator[str]:
    error = record.get("error") or {}
    if outcome in ("never run", "uploaded", "failed", "retried"):
        yield f"it ended as nothing, its last run is: {outcome} {error.get('message', '')}"
    if outcome == "skipped" and not record["reason"]:
        yield "skipped without a reason"
    if outcome == "dead-lettered" and not error.get("message"):
        yield "dead-lettered without a reason"
    if outcome == "dead-lettered" and not dead_letters and not lost:
        yield "dead-lettered, and not in the dead-letter queue"
    if outcome != "dead-lettered" and dead_letters:
        yield f"{outcome}, and also in the dead-letter queue"


def _wrong_outputs(
    wanted: dict[str, bytes | None], listed: dict[str, str], outputs: _Outputs, lost: bool
) -> Iterator[str]:
    if not wanted:
        yield "succeeded and made nothing"
    for key, content in wanted.items():
        if key not in listed and not lost:
            yield f"its output {key} is not in the bucket"
        if key in listed and content is not None and listed[key] != etag(content):
            yield f"its output {key} in the bucket is not what it must be"
        if not outputs.folder_has(key, content):
            yield f"its output {key} is not in the folder, or is not what it must be"


def balanced(
    stack: Stack, described: StackTemplate, expected: Expected | None, *, lost: bool = False, patience_s: float = 60.0
) -> Sheet:
    """Wait until every file is accounted for, and give the sheet.

    Raises:
        StackError: something is still wrong after `patience_s` seconds; the text lists what.
    """
    last = Sheet(problems=["not looked yet"])

    def is_balanced() -> bool:
        nonlocal last
        last = sheet(stack, described, expected, lost=lost)
        return not last.problems

    try:
        eventually(is_balanced, "balance", patience_s)
    except StackError as error:
        raise StackError("\n".join([str(error), *last.problems, "the stack said:", stack.text[-5000:]])) from None
    return last
