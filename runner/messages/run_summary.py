"""Formats run records for people: names, outputs, and failures with the user's own code first. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import PurePosixPath

from runner.messages.object_keys import printable
from runner.messages.run_record import Failure, RunRecord, Version
from runner.messages.tracebacks import fold

_NEXT = {
    "event": "find out which sender puts such messages into the queue",
    "route": "correct the routes, then run `runner retry`",
    "download": "make sure that the object exists and can be read, then run `runner retry`",
    "inspect": "drop a corrected archive; or change the limit, restart, and run `runner retry`",
    "invoke": "fix it, or change the limit and restart; then run `runner retry`",
}
_NEXT_AFTER_PIPELINE = "fix it, then run `runner retry`; `runner ingest FILE` runs the pipeline alone, in seconds"


def error_lines(error: Failure) -> list[str]:
    """Return a failure as lines: type, phase, message, then the place in the code."""
    first, *more = error["message"].strip().splitlines() or [""]
    return [f"{error['type']} in phase {error['phase']}: {first}", *(f"  {line}" for line in more), *_code_lines(error)]


def _code_lines(error: Failure) -> list[str]:
    """Return the place that raised it; empty if no pipeline ran, because then it would be in the runner."""
    return [] if error["phase"] in ("event", "route", "inspect") else fold(error["traceback"])


def next_step(error: Failure) -> str:
    """Return a line that says what to do about a failure."""
    advice = _NEXT.get(error["phase"], _NEXT_AFTER_PIPELINE)
    return f"next: {advice}"


def keys(run: RunRecord) -> str:
    """Return the keys of a run's inputs; its message ID if it has none."""
    return ", ".join(item["key"] for item in run["inputs"]) or f"message {run['message_id']}"


def title(run: RunRecord) -> str:
    """Return a run's schedule and window; its input keys if it was not scheduled."""
    window = run.get("window")  # records of older versions have none
    return f"{run['schedule']} {window['begin']} to {window['end']}" if window else keys(run)


def made(run: RunRecord) -> str:
    """Return a run's outputs by file type: '1 nc, 3 png'."""
    counts = Counter(PurePosixPath(output["key"]).suffix.lstrip(".") or "file" for output in run["outputs"])
    return ", ".join(f"{count} {suffix}" for suffix, count in sorted(counts.items())) or "nothing"


def why(run: RunRecord) -> str:
    """Return why a run did not succeed, in one line; empty if it succeeded."""
    error = run["error"]
    if error:
        return f"{error['type']} in phase {error['phase']}: {error['message'].strip().splitlines()[0]}"
    first = (run["reason"] or "").partition("\n")[0]
    return first.replace("Known routes:", "`runner logs` lists the known routes.")


def where(run: RunRecord) -> str:
    """Return an arrow and the run's pipeline and location; empty if no route was found."""
    names = "/".join(filter(None, (run["pipeline"], run["location"])))
    return f" → {names}" if names else ""


def file_name(key: str, pipeline: str | None) -> str:
    """Return what a file is called: with its pipeline, if several run on it."""
    return (printable(key) or "a message") + (f" → {pipeline}" if pipeline else "")


def short_id(version: Version) -> str:
    """Return the eight-character ID of a version that commands show and take."""
    return hashlib.sha256("\n".join(version).encode()).hexdigest()[:8]
