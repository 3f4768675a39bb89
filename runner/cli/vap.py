"""`runner vap`: run a VAP on stored data with tsdat alone, without S3, queue and Lambda."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from runner.cli.options import AsJson, Aws, Data, chosen, utc
from runner.errors import SettingsError
from runner.messages.schedule_events import Window, iso


def vap(
    config: Annotated[Path, typer.Argument(help="The VAP's config/pipeline.yaml.", exists=True, dir_okay=False)],
    begin: Annotated[datetime, typer.Option(parser=utc, metavar="TIME", help="Begin of the window, in UTC.")],
    end: Annotated[datetime, typer.Option(parser=utc, metavar="TIME", help="End of the window, in UTC.")],
    data: Data = None,
    aws: Aws = False,
    as_json: AsJson = False,
) -> None:
    """Run a VAP on stored data, without S3 and Lambda.

    It reads from and stores in `data/outputs`.

    Example: `runner vap pipelines/buoy_wind_hourly/config/pipeline.yaml --begin 2020-12-01 --end 2020-12-02`
    """
    from runner.cli.local_runs import run_vap

    if begin >= end:
        raise SettingsError(f"--begin {iso(begin)} must be earlier than --end {iso(end)}.")
    raise typer.Exit(run_vap(chosen(data), config, Window(begin, end), as_json=as_json, with_aws=aws))
