"""What is known about files, in the form that the pages show: the classifier's answer and the run record.

With `known_runs` the only module of the page that knows how state and inbox keep it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from runner.errors import EventError
from runner.messages import run_summary, s3_events
from runner.messages.object_keys import printable, refused
from runner.messages.run_record import FINAL
from runner.services.reconciler.classify import STATES
from runner.services.reconciler.snapshot import finding_of
from runner.services.watcher.entries import Found
from runner.services.watcher.inbox import Inbox
from runner.settings import Settings
from runner.state.database import State
from runner.state.file_list import Listed
from runner.state.inbox_problems import Problem
from runner.state.runs import Run

OUTCOMES = (*STATES, "unaccounted")
_MOST_READ = 1000
_OPEN = ("uploaded", "failed", "retried")
# What each state may be in the table of versions.
_STORED: Mapping[str, tuple[str, ...]] = {"in progress": _OPEN, "unaccounted": (*_OPEN, "succeeded")}


@dataclass(frozen=True)
class Filter:
    """What a list shows."""

    name: str = ""
    outcome: str = ""
    pipeline: str = ""
    location: str = ""
    since: float = 0.0
    before: int | None = None

    def stored_outcomes(self) -> tuple[str, ...]:
        """Return the outcomes that the state file may have for the wanted one."""
        return _STORED.get(self.outcome, (self.outcome,)) if self.outcome else ()


@dataclass(frozen=True)
class FileRow:
    """One file, or one window of a schedule, as `runner status --json` reports it and more."""

    file: str
    outcome: str
    text: str
    etag: str = ""
    pipeline: str | None = None
    change: int | None = None
    location: str | None = None
    id: str = ""
    run_id: int | None = None
    attempt: int = 0
    """Of its latest run."""
    seconds: float | None = None
    ended_at: str | None = None
    is_running: bool = False
    """A Lambda has its message."""
    key: str = ""
    """As it is stored; `file` is its printable form."""

    def as_json(self) -> dict[str, Any]:
        """Return all fields that JSON can hold."""
        return {name: value for name, value in asdict(self).items() if name != "key"}


def rows(settings: Settings, state: State, found: Iterable[Listed], running: Iterable[str] = ()) -> Iterator[FileRow]:
    """Return a row for each version that a list holds."""
    problems, in_lambda = state.versions.unaccounted(), set(running)
    for item in found:
        known, run = item.known, item.run
        finding = finding_of(known, run, settings.outputs, problems.get(known.job))
        is_own = finding.state in (known.outcome, "in progress")
        record = run.record if run else None
        yield FileRow(
            file=printable(known.key) if known.key else printable(run_summary.title(record)) if record else "a message",
            outcome=finding.state,
            text=_text(item) if is_own else finding.reason,
            etag=known.etag,
            key=known.key,
            pipeline=known.pipeline,
            change=known.change,
            location=record["location"] if record else None,
            id=run_summary.short_id(known.version),
            run_id=run.id if run else None,
            attempt=run.attempt if run else 0,
            seconds=record["durations_s"].get("total") if record and known.outcome in FINAL else None,
            ended_at=iso(run.ended_at) if run else None,
            is_running=known.outcome == "uploaded" and known.key in in_lambda,
        )


def _text(item: Listed) -> str:
    known, run = item.known, item.run
    if run is None or known.outcome != run.outcome:  # a person decided since, or the run read a newer version
        return known.reason or "uploaded, not yet run"
    return run_summary.made(run.record) if run.outcome == "succeeded" else run_summary.why(run.record)


def iso(seconds: float) -> str:
    """Return a time as ISO 8601 in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def page(
    settings: Settings, state: State, wanted: Filter, count: int, running: Iterable[str] = ()
) -> tuple[list[FileRow], int | None]:
    """Return a page of rows, latest change first, and the `before` of the next page; None at the end.

    What is stored and what the classifier says can differ, so it reads on until the page is full, or until a person
    would wait too long: then the page has fewer rows, and the next one goes on from there.
    """
    found: list[FileRow] = []
    before = wanted.before
    for _ in range(_MOST_READ // count):
        listed = state.files.page(
            count, before=before, outcomes=wanted.stored_outcomes(), pipeline=wanted.pipeline,
            location=wanted.location, name=wanted.name, since=wanted.since,
        )  # fmt: skip
        found += [row for row in rows(settings, state, listed, running) if wanted.outcome in ("", row.outcome)]
        if len(listed) < count and len(found) <= count:
            return found, None
        before = listed[-1].known.change
        if len(found) >= count:
            return found[:count], found[count - 1].change
    return found, before


def run_as_json(run: Run) -> dict[str, Any]:
    """Return a run as `runner logs --json` prints it."""
    return {"id": run.id, "ended_at": iso(run.ended_at), "outcome": run.outcome, "attempt": run.attempt, **run.record}


def keys_in(body: str | None) -> list[str]:
    """Return the keys that a message names, without failing on any message."""
    try:
        return [item.key for item in s3_events.parse(body or "").objects]
    except EventError:
        return []


def not_uploaded(
    state: State, inbox: Inbox, found: Iterable[tuple[str, Found | None]], before: Iterable[FileRow] = ()
) -> list[FileRow]:
    """Return the files of the inbox whose present content was not uploaded, and what in it cannot be taken.

    Args:
        found: files that may be new.
        before: those that were not uploaded when it was asked last.
    """
    present: dict[str, Found | None] = {row.key: inbox.stamp(row.key) for row in before}
    present.update(found)
    present |= {key: problem for key, problem in state.inbox_problems.all().items() if inbox.has(key)}
    waiting = []
    for key, stamp in sorted(present.items()):
        uploaded = state.uploads.get(key) if stamp else None
        if isinstance(stamp, Problem):
            outcome = "refused" if stamp.is_refused else "unaccounted"
            waiting.append(FileRow(printable(key), outcome, stamp.reason, key=key))
        elif stamp and (uploaded is None or uploaded.stamp != stamp):
            reason = refused(key)
            text = reason or "not yet uploaded"
            waiting.append(FileRow(printable(key), "refused" if reason else "in progress", text, key=key))
    return waiting


@dataclass
class Summary:
    """How many keys have each outcome, by the runs alone."""

    outcomes: dict[str, int] = field(default_factory=dict)
    data_version: int = -1

    def with_pending(self, pending: Iterable[FileRow]) -> dict[str, int]:
        """Return the number of files by outcome, with those that are not uploaded."""
        counts: dict[str, int] = {outcome: self.outcomes.get(outcome, 0) for outcome in OUTCOMES}
        for row in pending:
            counts[row.outcome] += 1
        return counts


def summary(state: State, data_version: int) -> Summary:
    """Count all files."""
    counts = Counter[str]()
    for outcome, number in state.files.counts().items():
        counts["in progress" if outcome in _OPEN else outcome] += number
    unaccounted = len(state.versions.unaccounted())
    counts["unaccounted"] += unaccounted
    counts["in progress"] = max(0, counts["in progress"] - unaccounted)
    return Summary(dict(counts), data_version)
