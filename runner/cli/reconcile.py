"""Finds what is unaccounted for, takes it up again, and says what is where: at people's request, and all the time."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from typing import Annotated

import typer

from runner.cli.options import AsJson, Data, chosen
from runner.cli.output import results, say
from runner.errors import StackError
from runner.messages.object_keys import printable
from runner.messages.run_summary import short_id
from runner.services.progress import WAITING_S, Ticker
from runner.services.reconciler.classify import Sheet
from runner.services.reconciler.loop import _LOOK_AGAIN_S, _settled
from runner.services.reconciler.repair import opened
from runner.settings import Settings
from runner.state.stack_lock import running_at
from runner.template import stack_template


def reconcile_now(settings: Settings, *, as_json: bool, wait_s: float) -> int:
    """Draw the balance, take up what can be, and print it; gives the exit code, 0 when all is accounted for.

    Args:
        wait_s: so long wait for what is in progress; what then still is counts as unaccounted for.
    """
    described = stack_template.load(settings.root / "template.yaml")
    deadline, ticker = time.monotonic() + wait_s, Ticker(say, WAITING_S)
    while True:
        endpoint_url = running_at(settings)
        try:
            with opened(settings, described, endpoint_url) as books:
                sheet = _settled(books)
        except StackError:  # it is starting again
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_AGAIN_S)
            continue
        # Without a stack it may be starting again, and knows more then.
        may_change = [finding for finding in sheet.open if finding.place or finding.remedy or not endpoint_url]
        if time.monotonic() >= deadline or not may_change:
            break
        ticker.tick(f"… {len(may_change)} files are in progress")
        time.sleep(0.2)
    if wait_s:
        late = f"is still in progress after {wait_s:g} s"
        sheet.open = [replace(f, place=None, problem=late) if f.place else f for f in sheet.open]
    _print(sheet, as_json=as_json, running=endpoint_url is not None)
    return 1 if sheet.unaccounted() else 0


def _print(sheet: Sheet, *, as_json: bool, running: bool) -> None:
    missing = sheet.unaccounted()
    if as_json:
        rows = [{"key": printable(f.key), "etag": f.etag, "problem": f.problem} for f in missing]
        sys.stdout.write(json.dumps({"unaccounted": rows, "accounted": sheet.counts()}, indent=2) + "\n")
        return
    if not running:
        say("No stack runs on this folder: the next `runner up` takes up what is in progress.")
    for finding in missing:
        name = f"{short_id((finding.key, finding.etag))} {printable(finding.key) or 'a message'}"
        results.print(f"✗ {name} {finding.problem}", markup=False, style="red")
    told = ", ".join(f"{count} {place}" for place, count in sheet.counts().items() if count)
    results.print(f"{len(missing)} unaccounted for; {told or 'no file has come yet'}", markup=False)


def reconcile(
    data: Data = None,
    json: AsJson = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait until nothing is in progress any more.")] = 0,
) -> None:
    """Account for every file: inbox, bucket, queue, dead-letter queue, history and outputs have to agree.

    What has come to no end and is not on its way is taken up again, or told. Ends with 0 only if nothing is
    unaccounted for. A running stack does the same by itself, at its start and later.
    """

    sys.exit(reconcile_now(chosen(data), as_json=json, wait_s=wait))
