"""Puts a failure into lines for people: what, in which phase, their own line first, and what to do next. Pure."""

from __future__ import annotations

from runner.record import Failure
from runner.tracebacks import folded

_NEXT = {
    "event": "find out who sends such messages to the queue",
    "route": "correct the routes, then `runner retry`",
    "download": "see that the object is there and may be read, then `runner retry`",
    "inspect": "drop a mended archive, or change the limit, start again and `runner retry`",
    "invoke": "mend it, or change the limit and start again; then `runner retry`",
}


def told(error: Failure) -> list[str]:
    """A failure in lines, each thing once."""
    first, *more = error["message"].strip().splitlines() or [""]
    return [f"{error['type']} in phase {error['phase']}: {first}", *(f"  {line}" for line in more), *place(error)]


def place(error: Failure) -> list[str]:
    """Where it was raised; nothing for what is refused before a pipeline runs, where that is of no use."""
    return [] if error["phase"] in ("event", "route", "inspect") else folded(error["traceback"])


def next_step(error: Failure) -> str:
    """What to do about it."""
    advice = _NEXT.get(error["phase"], "mend it, then `runner retry`; `runner ingest FILE` runs it alone, in seconds")
    return f"next: {advice}"
