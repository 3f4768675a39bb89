"""The commands for files that did not come through: what is wrong, try again, give up, and whether all is there."""

from __future__ import annotations

import sys
from typing import Annotated, Optional

import typer

from runner.errors import SettingsError
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


Ids = Annotated[list[str], typer.Argument(help="IDs as `runner failures` shows them.", show_default=False)]
SomeIds = Annotated[
    Optional[list[str]],  # noqa: UP045  Typer reads this at run time
    typer.Argument(help="IDs as `runner failures` shows them.", show_default=False),
]


def failures(data: Data = None, json: AsJson = False) -> None:
    """Show what has failed for good: what, when, in which pipeline, why, and how often it was tried."""
    from runner import failures as failed

    failed.show(chosen(data), as_json=json)


def retry(
    ids: SomeIds = None,
    everything: Annotated[bool, typer.Option("--all", help="All that has failed for good.")] = False,
    data: Data = None,
) -> None:
    """Try failures again, once what was wrong is mended.

    `runner retry 1f2e3d4c` for one, `runner retry --all` for all. What LocalStack has lost comes from the inbox again.
    """
    from runner import redrive

    if bool(ids) == everything:
        raise SettingsError("Say which failures to try again: `runner retry ID …`, or `runner retry --all`.")
    sys.exit(redrive.retry(chosen(data), ids or [], everything=everything))


def forget(
    ids: Ids,
    why: Annotated[str, typer.Option(help="The reason; it is kept in the history.", show_default=False)],
    data: Data = None,
) -> None:
    """Give failures up: they leave the dead-letter queue; `runner status` shows them as forgotten, with the reason."""
    from runner import redrive

    redrive.forget(chosen(data), ids, why)
