"""State of a data folder, and run records to put into it."""

from __future__ import annotations

from typing import Any

from runner.messages.run_record import Input, RunRecord, Status, new_record

WRONG = {"type": "ValueError", "message": "no such column\nin the file", "phase": "process", "traceback": ""}


def item(key: str, etag: str, **more: Any) -> Input:
    found: Any = {"bucket": "inputs", "key": key, "size": 1, "etag": etag, **more}
    return found  # type: ignore[no-any-return]


def run_of(key: str, etag: str, status: Status = "succeeded", **fields: Any) -> RunRecord:
    """A run that read one version; a failed one has an error."""
    more = {"inputs": [item(key, etag)], "pipeline": "p", "durations_s": {"total": 1.0}, **fields}
    if status == "failed":
        more = {"error": WRONG, **more}
    return new_record(status, "request", **more)
