"""What is known about runs, in the form that the pages show: failures by error, latest runs, newest outputs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from runner.messages import run_summary
from runner.messages.object_keys import printable
from runner.services.reconciler.failures import Failure, dead_lettered
from runner.state.database import State
from runner.state.runs import Run
from runner.web.known_files import FileRow, iso

_MOST_FAILURES = 1000
# Numbers, quoted values, paths and file names differ from file to file; the error does not.
_DIFFERENT = re.compile(r"""\d+|'[^']*'|"[^"]*"|\S*/\S*|\S+\.\w+""")


@dataclass(frozen=True)
class FailureGroup:
    """Files that failed for good with the same error."""

    error: str
    files: list[FileRow]


def failure_groups(state: State) -> list[FailureGroup]:
    """Return the newest failures by error, the group with the newest one first."""
    groups: dict[tuple[str, str], FailureGroup] = {}
    for row in (_failure(one, one.run) for one in islice(dead_lettered(state), _MOST_FAILURES) if one.run):
        group = groups.setdefault((_DIFFERENT.sub("…", row.text), row.pipeline or ""), FailureGroup(row.text, []))
        group.files.append(row)
    return list(groups.values())


def _failure(failure: Failure, run: Run) -> FileRow:
    record = run.record
    error = record["error"]
    return FileRow(
        printable(failure.file), "dead-lettered",
        run_summary.error_lines(error)[0] if error else record["reason"] or "no reason recorded",
        pipeline=record["pipeline"], location=record["location"], id=failure.id, run_id=run.id,
        attempt=max(run.attempt, failure.failed_runs), ended_at=iso(run.ended_at),
    )  # fmt: skip


def latest_runs(state: State, pipelines: Iterable[str], count: int) -> dict[str, list[dict[str, Any]]]:
    """Return the latest runs of each pipeline, oldest first."""
    found = {}
    for name in pipelines:
        newest = islice((run for run in state.runs.newest(pipeline=name) if run.record["pipeline"]), count)
        found[name] = [
            {"id": run.id, "outcome": run.outcome, "seconds": run.record["durations_s"].get("total")} for run in newest
        ][::-1]
    return found


def newest_outputs(state: State, suffixes: tuple[str, ...], count: int) -> list[dict[str, Any]]:
    """Return the newest outputs with one of some suffixes, each with the run that stored it."""
    found: dict[str, dict[str, Any]] = {}
    for item in state.files.page(count, outcomes=("succeeded",)):
        for output in item.run.record["outputs"] if item.run else []:
            if item.run and output["key"].endswith(suffixes) and output["key"] not in found:
                found[output["key"]] = {
                    "key": output["key"], "size": output["size"], "pipeline": item.run.record["pipeline"],
                    "location": item.run.record["location"], "run_id": item.run.id, "ended_at": iso(item.run.ended_at),
                }  # fmt: skip
    return list(found.values())[:count]
