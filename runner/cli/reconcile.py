"""`runner reconcile`: repair what was lost, and check that every file has an outcome."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import Annotated

import typer

from runner.cli.options import AsJson, Data, chosen
from runner.cli.output import print_json, results, say
from runner.errors import StackError
from runner.messages.object_keys import printable
from runner.messages.run_summary import file_name, short_id
from runner.services.progress import WAITING_S, Ticker
from runner.services.reconciler.classify import Finding, Summary
from runner.services.reconciler.repair import Reconciler, opened_for_command

_LOOK_AGAIN_S = 1.0
_MOST_LOOKS = 6
_MOST_SHOWN = 20


def reconcile(
    wait: Annotated[float, typer.Option(min=0, help="Wait so many seconds until nothing is in progress.")] = 0.0,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Check that every file has an outcome.

    Compare inbox, bucket, queues, runs and outputs, and repair what was lost.
    The exit code is 0 if every file has one or is in progress, and 1 if any is unaccounted for.
    `runner reconcile --wait 60` waits until nothing is in progress.
    """
    settings = chosen(data)
    deadline, ticker = time.monotonic() + wait, Ticker(say, WAITING_S)
    while True:
        try:
            with opened_for_command(settings) as reconciler:
                summary = _looked(reconciler)
        except StackError:  # it is starting again
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_AGAIN_S)
            continue
        is_running = reconciler.backend is not None
        may_change = [finding for finding in summary.unaccounted if finding.repair or not is_running]
        may_change += summary.in_progress
        if time.monotonic() >= deadline or not may_change:
            break
        ticker.tick(f"… {len(may_change)} files are in progress")
        time.sleep(0.2)
    if wait:
        late = [
            replace(f, state="unaccounted", reason=f"is still in progress after {wait:g} s")
            for f in summary.in_progress
        ]
        found = sorted(summary.unaccounted + late, key=lambda finding: finding.job)
        summary = replace(summary, in_progress=[], unaccounted=found)
    _print(summary, as_json=as_json, is_running=is_running)
    sys.exit(1 if summary.unaccounted else 0)


def _looked(reconciler: Reconciler) -> Summary:
    """Look until the look before has reported the same problems, and what can be repaired is repaired."""
    for _ in range(_MOST_LOOKS):
        summary = reconciler.look(reconciler.snapshot().all())
        if not reconciler.suspects:
            break
        time.sleep(_LOOK_AGAIN_S)
    return summary


def _print(summary: Summary, *, as_json: bool, is_running: bool) -> None:
    if as_json:
        rows = [
            {"key": printable(f.key), "etag": f.etag, "pipeline": f.pipeline, "problem": f.reason}
            for f in summary.unaccounted
        ]
        replaced = [{"key": printable(f.key), "etag": f.etag, "reason": f.reason} for f in summary.replaced]
        print_json({"unaccounted": rows, "replaced": replaced, "accounted": summary.counts()})
        return
    if not is_running:
        say("No stack runs on this folder. Files in progress resume at the next `runner up`.")
    for finding in summary.replaced[:_MOST_SHOWN]:
        results.print(f"– {_name(finding)} replaced. {finding.reason}", markup=False)
    if len(summary.replaced) > _MOST_SHOWN:
        say("More were replaced: `runner status --outcome replaced --all`.")
    for finding in summary.unaccounted:
        results.print(f"✗ {_name(finding)} {finding.reason}", markup=False, style="red")
    counts = ", ".join(f"{count} {state}" for state, count in summary.counts().items() if count)
    results.print(f"{len(summary.unaccounted)} unaccounted for; {counts or 'no file yet'}", markup=False)


def _name(finding: Finding) -> str:
    return f"{short_id(finding.version)} {file_name(finding.key, finding.pipeline)}"
