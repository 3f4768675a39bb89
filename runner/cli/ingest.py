"""`runner ingest`: run pipelines on local files with tsdat alone, without S3, queue and Lambda."""

from __future__ import annotations

from typing import Annotated

import typer

from runner.cli.options import AsJson, Aws, Data, Files, chosen


def ingest(
    files: Files,
    clump: Annotated[
        bool, typer.Option("--clump", help="Pass all files to one run; the first selects the pipeline.")
    ] = False,
    multidispatch: Annotated[
        bool, typer.Option("--multidispatch", help="Run every pipeline that matches a file, not just one.")
    ] = False,
    data: Data = None,
    aws: Aws = False,
    as_json: AsJson = False,
) -> None:
    """Run pipelines on local files, without S3 and Lambda.

    Outputs go to `data/outputs`. This is the quickest way to try a pipeline while you write it.

    Example: `runner ingest data/samples/tide_gauge/mcrl/*.log`
    """
    from runner.cli.local_runs import run_pipelines

    code = run_pipelines(chosen(data), files, clump=clump, multidispatch=multidispatch, as_json=as_json, with_aws=aws)
    raise typer.Exit(code)
