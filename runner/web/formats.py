"""Filters of the templates: numbers, sizes and times for people. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

from runner.services.progress import human_size

MARKS = {
    "succeeded": "✔", "skipped": "–", "forgotten": "–", "failed": "✗", "dead-lettered": "✗", "refused": "✗",
    "in progress": "…", "unaccounted": "✗", "retried": "↻", "uploaded": "…",
}  # fmt: skip


def seconds(value: float | None) -> str:
    """Return a duration: 4 ms, 0.25 s, 12.3 s, 3 min 5 s."""
    if value is None:
        return ""
    if value < 0.1:
        return f"{1000 * value:.0f} ms"
    if value >= 60:
        return f"{int(value // 60)} min {int(value % 60)} s"
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def clock(value: str | None) -> str:
    """Return the time of day in UTC of an ISO time of today, else date and time."""
    if not value:
        return ""
    time = datetime.fromisoformat(value)
    return time.strftime("%H:%M:%S" if time.date() == datetime.now(UTC).date() else "%Y-%m-%d %H:%M")


def count(value: int) -> str:
    """Return a number with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def path(value: str) -> str:
    """Return a key for the path of an address."""
    return quote(value, safe="/")


def name_of(key: str) -> str:
    """Return the last part of a key."""
    return key.rpartition("/")[2]


def folder_of(key: str) -> str:
    """Return the parts of a key before the last, with the slash."""
    return key[: len(key) - len(name_of(key))]


def mark(outcome: str) -> str:
    """Return the sign of an outcome."""
    return MARKS.get(outcome, "")


def kind(outcome: str) -> str:
    """Return an outcome as a name of a class."""
    return outcome.replace(" ", "-")


FILTERS = {
    "seconds": seconds, "clock": clock, "count": count, "path": path, "name_of": name_of, "folder_of": folder_of,
    "mark": mark, "kind": kind, "size": human_size,
}  # fmt: skip
