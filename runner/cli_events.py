"""The commands about events: `runner events`, `runner replay`, `runner backfill`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from runner.options import AsJson, Data, Time, chosen

app = typer.Typer()
shown = typer.Typer(invoke_without_command=True)
app.add_typer(shown, name="events")
Number = Annotated[int, typer.Argument(help="The event's number, as `runner events` shows it.")]


@shown.callback()
def events(
    context: typer.Context,
    newest: Annotated[int, typer.Option("-n", "--newest", help="How many of the newest events.")] = 20,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Show the events that the queue gave to the stack: files, schedules, and whatever else was sent."""
    if context.invoked_subcommand is None:
        from runner import replay as again

        again.show(chosen(data), newest, as_json=json)


@shown.command()
def save(
    number: Number,
    path: Annotated[Path, typer.Argument(help="A JSON file that is not there yet.")],
    data: Data = None,
) -> None:
    """Write an event as JSON, as Lambda gets it: for a test, or for `sam local invoke --event`.

    `runner events save 12 tests/events/saved/mine.json`
    """
    from runner import replay as again

    again.save(chosen(data), number, path)


@app.command()
def replay(
    number: Number,
    direct: Annotated[bool, typer.Option("--direct", help="In this process, where breakpoints stop.")] = False,
    data: Data = None,
    json: Annotated[bool, typer.Option("--json", help="Print the run records as JSON.")] = False,
) -> None:
    """Run an event once more on the stack that is up, and show what came of it."""
    from runner import replay as again

    run = again.direct if direct else again.replay
    sys.exit(run(chosen(data), number, as_json=json))


@app.command()
def backfill(
    wanted: Annotated[list[str], typer.Argument(metavar="PREFIX|FILE…", help="Keys begin so, or a file's own key.")],
    since: Time = None,
    until: Time = None,
    rate: Annotated[float, typer.Option(min=0.01, help="Events per second.")] = 10.0,
    aws: Annotated[bool, typer.Option("--aws", help="In your AWS account; needs --bucket and --queue.")] = False,
    bucket: Annotated[Optional[str], typer.Option(help="The source bucket on AWS.", show_default=False)] = None,  # noqa: UP045
    queue: Annotated[Optional[str], typer.Option(help="The queue's name or URL.", show_default=False)] = None,  # noqa: UP045
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before sending to AWS.")] = False,
    data: Data = None,
) -> None:
    """Send objects that are in the source bucket already through the queue again: all that begin with a prefix.

    After Ctrl-C, or a kill, the same command goes on where it was. `--since` and `--until` look at when objects came.

    `runner backfill a2e_buoy_ingest/ --since 2020-12-01 --rate 2`
    """
    from runner import backfill as filling

    if aws:
        code = filling.on_aws(chosen(data), wanted, since, until, rate, bucket, queue, ask=not yes)
    else:
        code = filling.local(chosen(data), wanted, since, until, rate)
    sys.exit(code)
