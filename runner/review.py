"""Looks into ledger and history: `runner status` and `runner logs`."""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing, suppress
from datetime import datetime

from runner import report
from runner.history import History, Ledger, Run
from runner.inbox import Inbox, printable, refused
from runner.settings import Settings
from runner.terminal import results


def file_states(settings: Settings) -> list[dict[str, str]]:
    """Every file that is in the inbox or ever was uploaded, with its outcome and what there is to say about it."""
    with closing(Ledger(settings.state)) as ledger, closing(History(settings.state)) as history:
        uploads = {upload.key: upload for upload in ledger.uploads()}
        latest: dict[tuple[str, str], Run] = {}
        for run in history.runs():
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
        if stamp and (upload is None or (upload.size, upload.mtime_ns) != stamp) and found is None:
            state, text = "waiting", "not yet uploaded"
        elif found is None:
            state, text = "waiting", "uploaded, not yet run"
        else:
            state = "waiting" if found.outcome == "retried" else found.outcome
            text = report.text_of(found)
        states.append({"file": key, "outcome": state, "text": text})
    return states


def _newest(latest: dict[tuple[str, str], Run], key: str) -> Run | None:
    return max((run for (name, _), run in latest.items() if name == key), key=lambda run: run.id, default=None)


def status(settings: Settings, *, as_json: bool) -> None:
    """Print a table of all files, or the same as JSON."""
    states = file_states(settings)
    if as_json:
        sys.stdout.write(json.dumps(states, indent=2) + "\n")
    elif states:
        results.print(report.table((state["file"], state["outcome"], state["text"]) for state in states))
    else:
        results.print(f"No file has come into {settings.inbox} yet. `runner up`, then drop one there.", markup=False)


def logs(settings: Settings, key: str, *, newest: int, failed: bool, follow: bool) -> None:
    """Print runs in full, oldest first; with `follow` until Ctrl-C."""
    with closing(History(settings.state)) as history, suppress(KeyboardInterrupt):
        wanted = [run for run in history.runs() if _wanted(run, key, failed)][-newest:]
        last = max((run.id for run in history.runs(newest=1)), default=0)
        for run in wanted:
            _print(run)
        while follow:
            for run in history.runs(after_id=last):
                last = run.id
                if _wanted(run, key, failed):
                    _print(run)
            time.sleep(0.2)


def _wanted(run: Run, key: str, failed: bool) -> bool:
    return key in report.keys(run.record) and (not failed or run.record["status"] == "failed")


def _print(run: Run) -> None:
    record, ended = run.record, datetime.fromtimestamp(run.ended_at).isoformat(" ", "seconds")
    head = f"{ended} {report.MARKS[run.outcome]} {report.keys(record)}: {run.outcome}, attempt {run.attempt}"
    results.print(head, markup=False, style=report.COLOURS[run.outcome])
    for name, value in (("pipeline", record["config"]), ("reason", record["reason"])):
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
    if record["error"]:
        results.print(record["error"]["traceback"] or record["error"]["message"], markup=False)
