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
from runner.messages.run_summary import short_id
from runner.services.progress import WAITING_S, Ticker
from runner.services.reconciler.classify import Finding, Summary, classify
from runner.services.reconciler.repair import Reconciler, opened
from runner.settings import Settings
from runner.state.stack_lock import running_at
from runner.template import stack_template

_LOOK_AGAIN_S = 1.0
_MOST_ROUNDS = 3


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
        endpoint_url = running_at(settings)
        try:
            summary = _repaired(settings, endpoint_url)
        except StackError:  # it is starting again
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_AGAIN_S)
            continue
        may_change = [finding for finding in summary.unaccounted if finding.repair or not endpoint_url]
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
        summary = Summary(summary.final, [], sorted(summary.unaccounted + late, key=lambda finding: finding.version))
    _print(summary, as_json=as_json, is_running=endpoint_url is not None)
    sys.exit(1 if summary.unaccounted else 0)


def _repaired(settings: Settings, endpoint_url: str | None) -> Summary:
    """Look and repair, until nothing is left that can be repaired."""
    described = stack_template.load_for(settings)
    with opened(settings, described, endpoint_url) as reconciler:
        for _ in range(_MOST_ROUNDS):
            summary = _confirmed(reconciler)
            if not reconciler.repair(summary.unaccounted):
                break
        reconciler.state.versions.set_unaccounted({f.version: f.reason for f in summary.unaccounted})
        return summary


def _confirmed(reconciler: Reconciler) -> Summary:
    """Look twice: one look can miss what moves meanwhile, so unaccounted for is what both looks report."""
    summary = _look(reconciler)
    if summary.unaccounted:
        first = {finding.version for finding in summary.unaccounted}
        time.sleep(_LOOK_AGAIN_S)
        summary = _look(reconciler)
        summary.in_progress += [
            replace(finding, state="in progress") for finding in summary.unaccounted if finding.version not in first
        ]
        summary.unaccounted = [finding for finding in summary.unaccounted if finding.version in first]
    return summary


def _look(reconciler: Reconciler) -> Summary:
    summary = Summary()
    for facts in reconciler.snapshot().all():
        summary.add(classify(facts))
    return summary


def _print(summary: Summary, *, as_json: bool, is_running: bool) -> None:
    if as_json:
        rows = [{"key": printable(f.key), "etag": f.etag, "problem": f.reason} for f in summary.unaccounted]
        print_json({"unaccounted": rows, "accounted": summary.counts()})
        return
    if not is_running:
        say("No stack runs on this folder. Files in progress resume at the next `runner up`.")
    for finding in summary.unaccounted:
        results.print(f"✗ {_name(finding)} {finding.reason}", markup=False, style="red")
    counts = ", ".join(f"{count} {state}" for state, count in summary.counts().items() if count)
    results.print(f"{len(summary.unaccounted)} unaccounted for; {counts or 'no file yet'}", markup=False)


def _name(finding: Finding) -> str:
    return f"{short_id(finding.version)} {printable(finding.key) or 'a message'}"
