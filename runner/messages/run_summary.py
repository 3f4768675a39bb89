"""Puts a failure into lines for people: what, in which phase, their own line first, and what to do next. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from runner.messages.run_record import Failure, RunRecord, Version
from runner.messages.tracebacks import folded

if TYPE_CHECKING:
    pass

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


def keys(run: RunRecord) -> str:
    """The inputs of a run, for people; its message when it had none."""
    return ", ".join(item["key"] for item in run["inputs"]) or f"message {run['message_id']}"


def title(run: RunRecord) -> str:
    """What a run was about: its schedule and window, else its inputs."""
    window = run.get("window")  # a history may be older than schedules
    return f"{run['schedule']} {window['begin']} to {window['end']}" if window else keys(run)


def made(run: RunRecord) -> str:
    """What a run made, by file type: '1 nc, 3 png'."""
    counts = Counter(PurePosixPath(output["key"]).suffix.lstrip(".") or "file" for output in run["outputs"])
    return ", ".join(f"{count} {suffix}" for suffix, count in sorted(counts.items())) or "nothing"


def why(run: RunRecord) -> str:
    """Why a run did not succeed, in one line; empty when it did."""
    error = run["error"]
    if error:
        return f"{error['type']} in phase {error['phase']}: {error['message'].strip().splitlines()[0]}"
    first = (run["reason"] or "").partition("\n")[0]
    return first.replace("Known routes:", "`runner logs` lists the known routes.")


def where(run: RunRecord) -> str:
    """The pipeline of a run and its location, after an arrow; empty when it came to none."""
    names = "/".join(filter(None, (run["pipeline"], run["location"])))
    return f" → {names}" if names else ""


def short_id(version: Version) -> str:
    """How people call a version."""
    return hashlib.sha256("\n".join(version).encode()).hexdigest()[:8]
