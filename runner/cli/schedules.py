"""`runner schedules` and `runner trigger`: list the schedules of template.yaml, and run one now."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any

import typer

from runner.cli.options import AsJson, Data, Time, chosen
from runner.cli.output import print_json, results
from runner.cli.submit import run_message
from runner.errors import SettingsError
from runner.messages.schedule_events import Window, iso
from runner.settings import Settings
from runner.template import stack_template
from runner.template.schedules import Schedule

_SHOWN = 3


def schedules(as_json: AsJson = False) -> None:
    """Show the schedules, and when each is due next.

    They are defined in `template.yaml`: docs/schedules.md.

    Example: `runner schedules`
    """
    entries = [_entry(schedule) for schedule in _load(chosen()).schedules]
    if as_json:
        print_json(entries)
    elif not entries:
        results.print("template.yaml has no schedule. To add one, see docs/schedules.md.", markup=False)
    else:
        _print(entries)


def _print(entries: list[dict[str, Any]]) -> None:
    for entry in entries:
        state = "" if entry["state"] == "ENABLED" else "  (DISABLED: runs only by `runner trigger`)"
        results.print(f"{entry['schedule']}  {entry['expression']} {entry['timezone']}{state}", markup=False)
        results.print(f"  runs {entry['config']}", markup=False)
        for due in entry["next"]:
            results.print(f"  {due['time']}  for {due['begin']} to {due['end']}", markup=False)


def _entry(schedule: Schedule) -> dict[str, Any]:
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


def trigger(
    name: Annotated[str, typer.Argument(help="The schedule's name, as `runner schedules` lists it.")],
    begin: Time = None,
    end: Time = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Run a schedule now, on the running stack.

    This also works for a disabled schedule. Without times, the window is the one of a run that is due now.

    Example: `runner trigger buoy-wind-hourly --begin 2020-12-01 --end 2020-12-02`
    """
    settings = chosen(data)
    template = stack_template.with_debug_timeout(_load(settings), settings)
    body = message(template.schedules, name, begin, end, datetime.now(UTC))
    raise typer.Exit(run_message(settings, template, body, as_json=as_json))


def message(known: tuple[Schedule, ...], name: str, begin: datetime | None, end: datetime | None, now: datetime) -> str:
    """Return the message that a schedule sends, with the given window if there is one.

    Raises:
        SettingsError: there is no such schedule, or only one of the times was given.
    """
    by_name = {schedule.name: schedule for schedule in known}
    if name not in by_name:
        names = ", ".join(by_name) or "none"
        raise SettingsError(f"There is no schedule {name!r} in template.yaml. Known schedules: {names}.")
    body = by_name[name].message(now)
    if begin is None and end is None:
        return body
    if begin is None or end is None or begin >= end:
        raise SettingsError("A window needs both --begin and --end, the earlier first.")
    return json.dumps({**json.loads(body), "window": Window(begin, end).as_json()})


def _load(settings: Settings) -> stack_template.StackTemplate:
    return stack_template.load_for(settings)
