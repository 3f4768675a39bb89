"""The strip of a file: how far it has come on the path inbox → S3 → queue → Lambda → outputs. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

from runner.web.known_files import FileRow

Step = Literal["done", "now", "failed", "none", "todo"]
STAGES = ("inbox", "S3", "queue", "Lambda", "outputs")


class Segment(NamedTuple):
    """One stage of the path, and how it is drawn."""

    stage: str
    step: Step


def segments(row: FileRow) -> list[Segment]:
    """Return one segment for each stage."""
    return [Segment(stage, step) for stage, step in zip(STAGES, _steps(row), strict=True)]


def _steps(row: FileRow) -> tuple[Step, Step, Step, Step, Step]:
    match row.outcome:
        case "succeeded":
            return "done", "done", "done", "done", "done"
        case "skipped" | "forgotten":
            return "done", "done", "done", "done", "none"
        case "refused":
            return "failed", "todo", "todo", "todo", "todo"
        case "dead-lettered":
            return "done", "done", "done", "failed", "todo"
        case "unaccounted":
            return "done", "done", "failed", "todo", "todo"
    if row.change is None:
        return "now", "todo", "todo", "todo", "todo"
    if row.is_running:
        return "done", "done", "done", "now", "todo"
    return "done", "done", "now", "todo", "todo"


def place(row: FileRow, max_receive_count: int) -> str:
    """Return in words where the file is, such as "in the queue, attempt 2 of 3"."""
    if row.outcome != "in progress":
        return row.outcome
    if row.change is None:
        return "in the inbox"
    attempt = min(row.attempt + 1, max_receive_count)
    where = "in the Lambda" if row.is_running else "in the queue"
    return f"{where}, attempt {attempt} of {max_receive_count}"
