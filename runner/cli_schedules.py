"""The commands about schedules: `runner schedules`, `runner trigger`, `runner vap`."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from runner.options import AsJson, Data, Time, chosen, utc

app = typer.Typer()


@app.command()
def schedules(json: AsJson = False) -> None:
    """Show the schedules of `template.yaml`, and when each is due next."""
    from runner import trigger as triggering

    triggering.show(chosen(), as_json=json)


@app.command()
def trigger(
    name: Annotated[str, typer.Argument(help="The schedule, as `runner schedules` shows it.")],
    begin: Time = None,
    end: Time = None,
    data: Data = None,
    json: Annotated[bool, typer.Option("--json", help="Print the run records as JSON.")] = False,
) -> None:
    """Run a schedule at once on the stack that is up, also one that is disabled, and show what came of it.

    Without times it has the window that it would have if it were due now.

    `runner trigger buoy-wind-hourly --begin 2020-12-01 --end 2020-12-02`
    """
    from runner import trigger as triggering

    sys.exit(triggering.trigger(chosen(data), name, begin, end, as_json=json))


@app.command()
def vap(
    config: Annotated[Path, typer.Argument(help="The VAP's config/pipeline.yaml.", exists=True, dir_okay=False)],
    begin: Annotated[datetime, typer.Option(parser=utc, metavar="TIME", help="Where the window begins, in UTC.")],
    end: Annotated[datetime, typer.Option(parser=utc, metavar="TIME", help="Where it ends.")],
    data: Data = None,
) -> None:
    """Run a VAP straight on the file system: no S3, no queue, no Lambda. It reads from and stores in `data/outputs`.

    `runner vap pipelines/buoy_wind_hourly/config/pipeline.yaml --begin 2020-12-01 --end 2020-12-02`
    """
    from runner import ingest as local

    sys.exit(local.vap(chosen(data), config, begin, end))
