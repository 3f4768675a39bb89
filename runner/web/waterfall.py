"""The phases of a run as bars on one time axis. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

PHASES = ("download", "inspect", "load", "process", "save", "plot", "upload")
_SHORTEST_S = 0.0005


class Bar(NamedTuple):
    """A phase: when it began, in seconds after the first one, how long it took, and what it is a part of."""

    name: str
    begin_s: float
    seconds: float
    kind: str
    """`wait` or `run`."""


def bars(
    durations_s: Mapping[str, float], ended_at: float, uploaded_at: float | None = None,
    received_at: float | None = None,
) -> list[Bar]:  # fmt: skip
    """Return the bars of a run in the order in which they happened.

    The phases follow each other without a gap. What lies between them and the record of the run belongs to the handler,
    the invocation and the copy of the outputs.

    Args:
        durations_s: of the run record.
        ended_at: when the run was recorded.
        uploaded_at: when its file was uploaded, if this was the first attempt.
        received_at: when the queue first delivered its message, if this was the first attempt.
    """
    found: list[Bar] = []
    now = 0.0
    if uploaded_at and received_at and received_at > uploaded_at:
        now = _add(found, "queue", 0.0, received_at - uploaded_at, "wait")
    names = [*PHASES, *(name for name in durations_s if name not in (*PHASES, "total"))]
    for name in names:
        now = _add(found, name, now, durations_s.get(name, 0.0), "run")
    phases_s = sum(durations_s.get(name, 0.0) for name in names)
    now = _add(found, "handler", now, durations_s.get("total", phases_s) - phases_s, "run")
    if received_at:
        rest_s = ended_at - received_at - max(durations_s.get("total", 0.0), phases_s)
        _add(found, "invoke, mirror, record", now, rest_s, "wait")
    return found


def _add(found: list[Bar], name: str, begin_s: float, seconds: float, kind: str) -> float:
    """Add a bar unless it is too short to be seen; return when it ended."""
    if seconds < _SHORTEST_S:
        return begin_s
    found.append(Bar(name, begin_s, seconds, kind))
    return begin_s + seconds
