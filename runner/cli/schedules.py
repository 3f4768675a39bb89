"""Schedules by hand: `runner schedules` and `runner trigger`."""

from __future__ import annotations

import json
import signal
import sys
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from runner.aws import clients
from runner.cli.options import AsJson, Data, Time, chosen, utc
from runner.cli.output import results, say, table, text_of
from runner.cli.submit import submit_message
from runner.errors import SettingsError, StoppedError
from runner.messages import run_summary
from runner.messages.schedule_events import Window, iso
from runner.settings import Settings
from runner.stack.supervisor import Stop
from runner.state import stack_lock
from runner.state.database import State
from runner.template import stack_template
from runner.template.schedules import Schedule

_SHOWN = 3


def show(settings: Settings, *, as_json: bool) -> None:
    """Print a table of the schedules with their next times, or the same as JSON."""
    found = [_described(schedule) for schedule in _load(settings).schedules]
    if as_json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    elif not found:
        results.print("template.yaml has no schedule. How to write one: docs/schedules.md", markup=False)
    for entry in [] if as_json else found:
        state = "" if entry["state"] == "ENABLED" else "  (DISABLED: only by `runner trigger`)"
        results.print(f"{entry['schedule']}  {entry['expression']} {entry['timezone']}{state}", markup=False)
        results.print(f"  runs {entry['config']}", markup=False)
        for due in entry["next"]:
            results.print(f"  {due['time']}  for {due['begin']} to {due['end']}", markup=False)


def _described(schedule: Schedule) -> dict[str, Any]:
    now = datetime.now(UTC)
    times = list(islice(schedule.times(now, now), _SHOWN))
    return {
        "schedule": schedule.name,
        "expression": schedule.expression,
        "timezone": schedule.timezone,
        "state": "ENABLED" if schedule.enabled else "DISABLED",
        "config": schedule.requested_run(now).config,
        "next": [{"time": iso(time), **schedule.requested_run(time).window.as_json()} for time in times],
    }


def trigger_now(settings: Settings, name: str, begin: datetime | None, end: datetime | None, *, as_json: bool) -> int:
    """Send a schedule's message to the running stack's queue and wait; gives the exit code.

    Raises:
        SettingsError: there is no such schedule, or only one of the times was given.
        StackError: no stack runs on the data folder.
    """
    described = stack_template.with_debug_timeout(_load(settings), settings)
    body = message(described.schedules, name, begin, end, datetime.now(UTC))
    return send(settings, described, body, as_json=as_json)


def message(
    schedules: tuple[Schedule, ...], name: str, begin: datetime | None, end: datetime | None, now: datetime
) -> str:
    """What to send: the schedule's own message, with the window that was given.

    Raises:
        SettingsError: there is no such schedule, or only one of the times was given.
    """
    by_name = {schedule.name: schedule for schedule in schedules}
    if name not in by_name:
        known = ", ".join(by_name) or "none"
        raise SettingsError(f"There is no schedule {name!r} in template.yaml. Known schedules: {known}.")
    body = by_name[name].message(now)
    if begin is None and end is None:
        return body
    if begin is None or end is None or begin >= end:
        raise SettingsError("A window needs both --begin and --end, the earlier first.")
    return json.dumps({**json.loads(body), "window": Window(begin, end).as_json()})


def send(settings: Settings, described: stack_template.StackTemplate, body: str, *, as_json: bool) -> int:
    """Send a message to the running stack's queue and show the runs that it led to; gives the exit code.

    Raises:
        StackError: no stack runs on the data folder, or it does not answer.
    """
    endpoint_url = stack_lock.require_running(settings)
    stop = Stop(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    try:
        with closing(State(settings.state)) as state:
            runs = submit_message(clients.local_sqs(endpoint_url), described, state, body, stop)
    except StoppedError as request:
        say(str(request))
        return 130
    if as_json:
        sys.stdout.write(json.dumps([run.record for run in runs], indent=2) + "\n")
    else:
        results.print(table((run_summary.title(run.record), run.outcome, text_of(run)) for run in runs))
        for output in (output for run in runs for output in run.record["outputs"]):
            results.print(f"  {settings.outputs / output['key']}", markup=False)
    return 0 if all(run.outcome == "succeeded" for run in runs) else 1


def _load(settings: Settings) -> stack_template.StackTemplate:
    return stack_template.load(settings.root / "template.yaml")


app = typer.Typer()


@app.command()
def schedules(json: AsJson = False) -> None:
    """Show the schedules of `template.yaml`, and when each is due next."""

    show(chosen(), as_json=json)


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

    sys.exit(trigger_now(chosen(data), name, begin, end, as_json=json))


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
    from runner.cli import ingest as local

    sys.exit(local.vap(chosen(data), config, begin, end))
