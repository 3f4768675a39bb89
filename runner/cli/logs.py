"""`runner logs`: runs with their outputs, quality summary, warnings and errors."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Optional

import typer

from runner.cli.options import AsJson, Data, chosen
from runner.cli.output import COLOURS, MARKS, results, say
from runner.errors import SettingsError
from runner.messages import run_summary
from runner.messages.run_record import Outcome
from runner.settings import Settings
from runner.state.database import State
from runner.state.runs import Run

_FOLLOW_INTERVAL_S = 0.2


def logs(
    name: Annotated[
        str | None, typer.Argument(help="Only files or schedules that contain this.", show_default=False)
    ] = None,  # noqa: UP045
    newest: Annotated[int, typer.Option("-n", "--newest", min=0, help="How many of the newest runs.")] = 20,
    failed: Annotated[bool, typer.Option("--failed", help="Only failures.")] = False,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", "-t", "--tail", help="Continue with new runs until Ctrl-C.")
    ] = False,
    pipeline: Annotated[Optional[str], typer.Option(help="Only runs of this pipeline.", show_default=False)] = None,  # noqa: UP045
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show runs with outputs, quality, warnings and errors.

    `runner logs z05 --failed` for the failures of one buoy; `runner logs -f --pipeline tide_gauge` to follow one
    pipeline; `runner logs --json` prints one JSON object per line.
    """
    settings = chosen(data)
    is_of = _pipeline_filter(settings, pipeline)
    show = _print_json if as_json else _Printer().show
    outcomes: tuple[Outcome, ...] = ("failed", "dead-lettered") if failed else ()
    last_id = 0
    most: int | None = newest
    with closing(State(settings.state)) as state, suppress(KeyboardInterrupt):
        while True:
            before = state.runs.last_id()
            found = filter(is_of, state.runs.newest(name or "", pipeline, outcomes, last_id))
            shown = list(islice(found, most))[::-1]
            for run in shown:
                show(run)
            if not follow:
                break
            last_id, most = max([before, *(run.id for run in shown)]), None
            time.sleep(_FOLLOW_INTERVAL_S)
    if newest and not shown and not follow:
        say(f"No run in {settings.state} matches. `runner status` lists all files.")


def _pipeline_filter(settings: Settings, pipeline: str | None) -> Callable[[Run], bool]:
    """Return whether a run is of a pipeline; a Lambda that died could not record which it ran.

    Raises:
        SettingsError: there is no such pipeline.
    """
    if pipeline is None:
        return lambda _: True
    from runner.function import routing

    routes = routing.load(settings.root)
    known = sorted({route.pipeline for route in routes.routes})
    if pipeline not in known:
        raise SettingsError(f"No pipeline is called {pipeline!r}. Pipelines: {', '.join(known)}.")

    def is_of(run: Run) -> bool:
        if run.record["pipeline"]:
            return run.record["pipeline"] == pipeline
        return any(
            route.pipeline == pipeline for item in run.record["inputs"] for route in routes.matches(item["key"] or "")
        )

    return is_of


def _print_json(run: Run) -> None:
    ended_at = datetime.fromtimestamp(run.ended_at, UTC).isoformat(timespec="milliseconds")
    line = {"id": run.id, "ended_at": ended_at, "outcome": run.outcome, "attempt": run.attempt, **run.record}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class _Printer:
    """Prints runs; an error that an earlier attempt had is not printed again."""

    def __init__(self) -> None:
        self._last_error: dict[str, list[str]] = {}

    def show(self, run: Run) -> None:
        """Print a run."""
        _print(run)
        error, name = run.record["error"], run_summary.title(run.record)
        if error is None:
            return
        lines = run_summary.error_lines(error)
        shown = ["the same error as before"] if self._last_error.get(name) == lines else lines
        self._last_error[name] = lines
        for line in [*shown, *([run_summary.next_step(error)] if run.outcome == "dead-lettered" else [])]:
            results.print(f"  {line}", markup=False)


def _print(run: Run) -> None:
    record, ended = run.record, datetime.fromtimestamp(run.ended_at).isoformat(" ", "seconds")
    head = f"{ended} {MARKS[run.outcome]} {run_summary.title(record)}: {run.outcome}, attempt {run.attempt}"
    results.print(head, markup=False, style=COLOURS[run.outcome])
    files = run_summary.keys(record) if record.get("schedule") else None  # otherwise they are in the head
    for name, value in (("pipeline", record["config"]), ("inputs", files), ("reason", record["reason"])):
        if value:
            results.print(f"  {name}: {value}", markup=False)
    for output in record["outputs"]:
        results.print(f"  output: {output['key']} ({output['size']} bytes)", markup=False)
    for variable, counts in record["qc"].items():
        flagged = ", ".join(f"{count} × {meaning}" for meaning, count in counts["flagged"].items())
        if flagged:
            results.print(f"  qc: {variable}: of {counts['samples']} samples {flagged}", markup=False)
    for warning in record["warnings"]:
        results.print(f"  warning: {warning}", markup=False)
    if record["durations_s"]:
        durations = ", ".join(f"{phase} {seconds:.2f}" for phase, seconds in record["durations_s"].items())
        results.print(f"  seconds: {durations}", markup=False)
