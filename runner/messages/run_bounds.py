"""Bounds the size of run records, so that a run that has stored its outputs is never failed by its own report.

Lambda refuses a response of more than 6 MB, and CloudWatch cuts a log event of more than 256 KB. See "Lambda quotas",
AWS Lambda Developer Guide, and "CloudWatch Logs quotas", Amazon CloudWatch Logs User Guide.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

from runner.messages.run_record import RunRecord

RESPONSE_BYTES = 5_800_000
LOG_BYTES = 240_000
_TEXT = 2_000
_MESSAGE = 8_000
_TRACEBACK = 20_000
_MOST_WARNINGS = 100

# In this order they are shortened: outputs last, because the copy to data/outputs needs them.
_LONG: tuple[Literal["qc", "warnings", "inputs", "outputs"], ...] = ("qc", "warnings", "inputs", "outputs")


def bounded(run: RunRecord) -> RunRecord:
    """Return a record whose texts are cut to what a person reads; each cut is marked."""
    error, warnings = run["error"], run["warnings"]
    kept = [_cut(text, _TEXT) for text in warnings[:_MOST_WARNINGS]]
    if len(warnings) > _MOST_WARNINGS:
        kept.append(f"{len(warnings) - _MOST_WARNINGS} more warnings are left out.")
    return {
        **run,
        "reason": run["reason"] and _cut(run["reason"], _MESSAGE),
        "warnings": kept,
        "error": error and {
            **error, "message": _cut(error["message"], _MESSAGE), "traceback": _cut(error["traceback"], _TRACEBACK),
        },
    }  # fmt: skip


def within(run: RunRecord, most_bytes: int) -> RunRecord:
    """Return a record that takes at most so many bytes as JSON. Lists lose their ends, and a warning says how much."""
    for name in _LONG:
        excess = _size(run) - most_bytes
        if excess <= 0:
            break
        run = _shortened(run, name, excess)
    return run


def response(runs: Sequence[RunRecord]) -> list[RunRecord]:
    """Return the records of one invocation, which share what Lambda's response may hold."""
    if sum(map(_size, runs)) <= RESPONSE_BYTES:
        return list(runs)
    return [within(run, RESPONSE_BYTES // len(runs)) for run in runs]


def _shortened(run: RunRecord, name: Literal["qc", "warnings", "inputs", "outputs"], excess: int) -> RunRecord:
    """Return a record in which one field has lost so many bytes of its end, or all of it."""
    value = run[name]
    items: list[Any] = [{key: item} for key, item in value.items()] if isinstance(value, dict) else list(value)
    note = "{} of {} {} are left out, because the record would be too large."
    excess += len(note) + 20
    left_out = 0
    while excess > 0 and left_out < len(items):
        left_out += 1
        excess -= _size(items[-left_out]) + (0 if name == "qc" else 2)  # the separator, for which a dict has its braces
    if not left_out:
        return run
    kept = items[: len(items) - left_out]
    warnings = kept if name == "warnings" else run["warnings"]
    changed: dict[str, Any] = {**run, name: {k: v for item in kept for k, v in item.items()} if name == "qc" else kept}
    changed["warnings"] = [*warnings, note.format(left_out, len(items), "QC summaries" if name == "qc" else name)]
    return changed  # type: ignore[return-value]


def _cut(text: str, most: int) -> str:
    """Return the beginning and the end of a text, with a mark between them."""
    if len(text) <= most:
        return text
    head, tail = text[: most // 3], text[len(text) - (most - most // 3) :]
    return f"{head}\n… {len(text) - most} characters are left out …\n{tail}"


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, default=str).encode(errors="surrogatepass"))
