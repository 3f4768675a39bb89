"""Looks into ledger and history: `runner status` and `runner logs`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime

from runner.cli.output import COLOURS, MARKS, results, say, table, text_of
from runner.errors import SettingsError
from runner.function import routing
from runner.messages import run_summary
from runner.messages.object_keys import printable, refused
from runner.services.watcher.inbox import Inbox
from runner.settings import Settings
from runner.state.runs import History, Run
from runner.state.uploads import Ledger


def file_states(settings: Settings) -> list[dict[str, str]]:
    """Every file that is in the inbox or ever was uploaded and every scheduled window, with outcome and a text."""
    with closing(Ledger(settings.state)) as ledger, closing(History(settings.state)) as history:
        uploads = {upload.key: upload for upload in ledger.uploads()}
        latest: dict[tuple[str, str], Run] = {}
        runs = history.runs()
        for run in runs:
            latest |= {(item["key"], item["etag"] or ""): run for item in run.record["inputs"]}
    inbox = Inbox(settings.inbox, settings.ignored_names)
    found_keys = set(inbox.scan())
    states = [
        {"file": printable(key), "outcome": "refused", "text": reason}
        for key in sorted(found_keys)
        if (reason := refused(key))
    ]
    for key in sorted({*uploads, *(key for key in found_keys if not refused(key)), *(key for key, _ in latest)}):
        upload, stamp = uploads.get(key), inbox.stamp(key)
        found = latest.get((key, upload.etag)) if upload else _newest(latest, key)
        if stamp and (upload is None or upload.stamp != stamp) and found is None:
            state, text = "waiting", "not yet uploaded"
        elif found is None:
            state, text = "waiting", "uploaded, not yet run"
        else:
            state = "waiting" if found.outcome == "retried" else found.outcome
            text = text_of(found)
        states.append({"file": key, "outcome": state, "text": text})
    return states + _scheduled_states(runs)


def _scheduled_states(runs: list[Run]) -> list[dict[str, str]]:
    """How the latest run of each schedule and window ended."""
    latest = {run_summary.title(run.record): run for run in runs if run.record.get("schedule")}
    return [{"file": title, "outcome": run.outcome, "text": text_of(run)} for title, run in sorted(latest.items())]


def _newest(latest: dict[tuple[str, str], Run], key: str) -> Run | None:
    return max((run for (name, _), run in latest.items() if name == key), key=lambda run: run.id, default=None)


def status(settings: Settings, *, as_json: bool) -> None:
    """Print a table of all files, or the same as JSON."""
    states = file_states(settings)
    if as_json:
        sys.stdout.write(json.dumps(states, indent=2) + "\n")
    elif states:
        results.print(table((state["file"], state["outcome"], state["text"]) for state in states))
    else:
        results.print(f"No file has come into {settings.inbox} yet. `runner up`, then drop one there.", markup=False)


def logs(
    settings: Settings, key: str, *, pipeline: str | None, newest: int, failed: bool, follow: bool, as_json: bool
) -> None:
    """Print runs in full or as lines of JSON, oldest first; with `follow` until Ctrl-C.

    Raises:
        SettingsError: there is no such pipeline, and no run of one that there was.
    """
    wanted = _filter(settings, key, pipeline, failed)
    show = _print_json if as_json else _Printer().show
    with closing(History(settings.state)) as history, suppress(KeyboardInterrupt):
        before = history.runs()
        last = before[-1].id if before else 0
        found = [run for run in before if wanted(run)]
        if pipeline and not found:
            _require(settings, pipeline)
        if not found and not follow:
            say(f"No run in {settings.state} matches that. `runner status` shows what became of every file.")
        for run in found[len(found) - min(newest, len(found)) :]:
            show(run)
        while follow:
            for run in history.runs(after_id=last):
                last = run.id
                if wanted(run):
                    show(run)
            time.sleep(0.2)


def _require(settings: Settings, pipeline: str) -> None:
    known = sorted({route.pipeline for route in routing.load(settings.root).routes})
    if pipeline not in known:
        raise SettingsError(f"No pipeline is called {pipeline!r}. There are: {', '.join(known)}.")


def _filter(settings: Settings, key: str, pipeline: str | None, failed: bool) -> Callable[[Run], bool]:
    routes = routing.load(settings.root) if pipeline else routing.Routes(())

    def is_of(run: Run) -> bool:
        if run.record["pipeline"]:
            return run.record["pipeline"] == pipeline
        # A Lambda that died could not say which it ran.
        found = {route.pipeline for item in run.record["inputs"] for route in routes.matches(item["key"] or "")}
        return pipeline in found

    return lambda run: (
        key in f"{run_summary.title(run.record)}, {run_summary.keys(run.record)}"
        and (not failed or run.record["status"] == "failed")
        and (pipeline is None or is_of(run))
    )


def _print_json(run: Run) -> None:
    ended_at = datetime.fromtimestamp(run.ended_at, UTC).isoformat(timespec="milliseconds")
    line = {"id": run.id, "ended_at": ended_at, "outcome": run.outcome, "attempt": run.attempt, **run.record}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class _Printer:
    """Prints runs for people; an error that an earlier attempt had is not printed again."""

    def __init__(self) -> None:
        self._told: dict[str, list[str]] = {}

    def show(self, run: Run) -> None:
        """Print a run."""
        _print(run)
        error, name = run.record["error"], run_summary.title(run.record)
        if error is None:
            return
        lines = run_summary.error_lines(error)
        shown = ["the same error as before"] if self._told.get(name) == lines else lines
        self._told[name] = lines
        for line in [*shown, *([run_summary.next_step(error)] if run.outcome == "dead-lettered" else [])]:
            results.print(f"  {line}", markup=False)


def _print(run: Run) -> None:
    record, ended = run.record, datetime.fromtimestamp(run.ended_at).isoformat(" ", "seconds")
    head = f"{ended} {MARKS[run.outcome]} {run_summary.title(record)}: {run.outcome}, attempt {run.attempt}"
    results.print(head, markup=False, style=COLOURS[run.outcome])
    files = run_summary.keys(record) if record.get("schedule") else None  # else they are in the head
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
