"""The commands for files that did not come through: what is wrong, try again, give up, and whether all is there."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from runner.options import AsJson, Data, chosen


def reconcile(
    data: Data = None,
    json: AsJson = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait until nothing is in progress any more.")] = 0,
) -> None:
    """Account for every file: inbox, bucket, queue, dead-letter queue, history and outputs have to agree.

    What has come to no end and is not on its way is taken up again, or told. Ends with 0 only if nothing is
    unaccounted for. A running stack does the same by itself, at its start and later.
    """
    from runner import reconcile as balance

    sys.exit(balance.reconcile(chosen(data), as_json=json, wait_s=wait))
