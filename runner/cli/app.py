"""The command line. Each command imports what it needs when it runs, so that `--help` costs nothing."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Optional

import typer

from runner.cli import events, failures, internal, logs, reconcile, retry, schedules, status
from runner.cli.options import Data, chosen
from runner.errors import RunnerError

app = typer.Typer(
    name="runner",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Run, see, test and debug tsdat pipelines on the exact path they take on AWS, on this machine, offline.\n\n"
    "**New here?** `runner run FILE` sends one file through the whole path; `runner up` keeps the stack running "
    "and takes every file you drop into `data/inbox`.",
)
for _more in (schedules.app, events.app):
    app.registered_commands += _more.registered_commands
    app.registered_groups += _more.registered_groups


def _regular(files: list[Path]) -> list[Path]:
    for path in files:
        if not path.is_file():
            raise typer.BadParameter(f"{path} is no regular file. Save what comes out of it to one first.")
    return files


Files = Annotated[
    list[Path],
    typer.Argument(help="Raw instrument files.", exists=True, dir_okay=False, readable=True, callback=_regular),
]
Concurrency = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(min=1, help="How many Lambdas run at once. [default: one for each core]", show_default=False),
]


def main() -> None:
    """Run the command line; an error that is meant for the user is shown as one, without a traceback."""
    try:
        app(prog_name="runner")
    except (RunnerError, OSError) as error:  # the system's errors name the file: a full disk, a folder of others
        from runner.cli.output import progress

        progress.print(f"error: {error}", markup=False, style="red")
        sys.exit(2)


@app.command()
def up(
    docker: Annotated[
        Optional[bool],  # noqa: UP045
        typer.Option("--docker/--embedded", help="[default: Docker if an engine answers]", show_default=False),
    ] = None,
    port: Annotated[
        int, typer.Option(help="Where S3, SQS and STS answer, on 127.0.0.1; 0 takes any free port.")
    ] = 4566,
    concurrency: Concurrency = None,
    data: Data = None,
    polling: Annotated[bool, typer.Option(help="No folder events: for network and virtual mounts.")] = False,
    settle: Annotated[float, typer.Option(help="Seconds of silence after which an open file counts as whole.")] = 1.0,
    retain: Annotated[bool, typer.Option(help="Keep the inbox copy of a file whose run succeeded.")] = True,
    debug: Annotated[bool, typer.Option("--debug", help="One Lambda, to which a debugger can attach.")] = False,
) -> None:
    """Start the stack and process every file dropped into `data/inbox`, until Ctrl-C.

    With `--docker` the Lambdas run in the image that is deployed, under its limits; `--embedded` needs only Python.
    `runner up --settle 30` for instruments that append and pause; `runner up --port 0` beside another stack.
    """
    from runner.cli import run

    settings = chosen(data, concurrency)
    settings = replace(
        settings,
        endpoint_url=settings.endpoint_url or (f"http://127.0.0.1:{port}" if port else None),
        polling=polling or settings.polling,
        settle_s=settle,
        retain=retain and settings.retain,
        debug=debug or settings.debug,
    )
    run.up(settings, with_docker=docker)


@app.command()
def run(
    files: Files,
    concurrency: Concurrency = None,
    data: Data = None,
    json: Annotated[bool, typer.Option("--json", help="Print the run records as JSON.")] = False,
) -> None:
    """Send files through the whole path (S3, queue, Lambda, S3) and show what came of each.

    Uses the stack that runs on this data folder, else starts one for as long as it takes. Ends with 0 only if every
    file succeeded.

    `runner run data/samples/a2e_buoy_ingest/*/*.zip` sends two days of buoy data.
    """
    from runner.cli import run

    sys.exit(run.run(chosen(data, concurrency), files, as_json=json))


@app.command()
def ingest(
    files: Files,
    clump: Annotated[
        bool, typer.Option("--clump", help="One run over all files; the first chooses the pipeline.")
    ] = False,
    multidispatch: Annotated[
        bool, typer.Option("--multidispatch", help="A file may match several pipelines; run them all.")
    ] = False,
    data: Data = None,
) -> None:
    """Run pipelines straight on the file system: no S3, no queue, no Lambda. Outputs go to `data/outputs`.

    The quickest way to try a pipeline while you write it: `runner ingest data/samples/tide_gauge/mcrl/*.log`.
    """
    from runner.cli import ingest as local

    sys.exit(local.ingest(chosen(data), files, clump=clump, multidispatch=multidispatch))


@app.command()
def check() -> None:
    """Find what is wrong with routes, pipeline configs, template and ports; one line a problem."""
    from runner.cli import check

    sys.exit(check.check(chosen()))


for command in (status.status, logs.logs, failures.failures, retry.retry, retry.forget, reconcile.reconcile):
    app.command()(command)


@app.command()
def demo() -> None:
    """Send the shipped samples through a stack of its own and show where the NetCDF files and plots are."""
    from runner.cli import run

    sys.exit(run.demo(chosen()))


@app.command()
def notify_eventbridge(
    bucket: Annotated[str, typer.Argument(help="An existing bucket in the AWS account that AWS_PROFILE names.")],
) -> None:
    """Have an existing bucket on AWS tell EventBridge of its new files, beside whom it tells already.

    Once for each bucket, before `sam deploy` with Trigger existing-bucket: docs/triggers.md.
    """
    from runner.cli.deploy import bucket_notifications

    bucket_notifications.notify(bucket)


app.add_typer(internal.app)
