"""The schedules of template.yaml: when each is due, as EventBridge Scheduler computes it, and what it sends. Pure.

"Schedule types in EventBridge Scheduler", Amazon EventBridge Scheduler User Guide: cron(…) uses local time
in the schedule's time zone, skips times that a change to daylight saving time omits, and runs once at times that occur
twice. rate(5 minutes) counts from StartDate, or from the schedule's creation. at(2026-12-01T02:30:00) is due once.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from runner.errors import EventError
from runner.messages import s3_events
from runner.messages.schedule_events import SOURCE, Scheduled, iso
from runner.template.cron import Cron
from runner.template.intrinsics import Template

_KIND = "AWS::Scheduler::Schedule"
_FORMS = "Write rate(5 minutes), cron(30 2 * * ? *) or at(2026-12-01T02:30:00)."
_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Schedule:
    """An AWS::Scheduler::Schedule that sends to the queue."""

    name: str
    """From its Input: the name that users and run records use. AWS's own name must be unique in the account."""
    expression: str
    timezone: str
    enabled: bool
    start: datetime | None
    end: datetime | None
    input: str
    """JSON, with the keywords that EventBridge replaces."""

    def times(self, after: datetime, since: datetime) -> Iterator[datetime]:
        """Yield the UTC times after `after` at which it is due, in order, even if it is disabled.

        Args:
            after: in UTC.
            since: when the schedule was created; a rate without StartDate counts from there.
        """
        for time in _times(self.expression, ZoneInfo(self.timezone), after, self.start or since):
            if self.end and time > self.end:
                return
            if time > after and (self.start is None or time >= self.start):
                yield time

    def message(self, time: datetime) -> str:
        """Return the message that EventBridge sends when the schedule is due."""
        arn = f"arn:aws:scheduler:us-west-2:000000000000:schedule/default/{self.name}"  # invented, like all local ARNs
        text = self.input.replace("<aws.scheduler.scheduled-time>", iso(time))
        text = text.replace("<aws.scheduler.schedule-arn>", arn).replace("<aws.scheduler.attempt-number>", "1")
        return text.replace("<aws.scheduler.execution-id>", uuid.uuid4().hex[:16])

    def requested_run(self, time: datetime) -> Scheduled:
        """Return the run that its message requests.

        Raises:
            EventError: the handler would reject the message.
        """
        scheduled = s3_events.parse(self.message(time)).scheduled
        if len(scheduled) != 1:
            raise EventError(f"Its Input must be one JSON object with source {SOURCE}: {self.input}")
        return scheduled[0]


def _times(expression: str, zone: ZoneInfo, after: datetime, anchor: datetime) -> Iterator[datetime]:
    kind, _, text = expression.removesuffix(")").partition("(")
    if kind == "cron":
        yield from _cron_times(Cron.parse(text), zone, after)
    elif kind == "rate":
        period = _period(text)
        number = max(0, (after - anchor) // period)
        while True:
            yield anchor + number * period
            number += 1
    else:
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text):
            raise ValueError(f"at({text}): EventBridge Scheduler requires seconds and no offset.")
        yield datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def _cron_times(cron: Cron, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    for day in cron.dates(after.astimezone(zone).date()):
        for hour in cron.hours:
            for minute in cron.minutes:
                local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                time = local.astimezone(UTC)
                if time.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
                    yield time


def _period(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9]\d*) (minute|hour|day)s?", text)
    if not found:
        raise ValueError(f"rate({text}): write a positive integer and minutes, hours or days.")
    return timedelta(**{f"{found[2]}s": int(found[1])})


def find(template: Template, queue_arn: str) -> tuple[Schedule, ...]:
    """Return the schedules that send to a queue, in the order of the template.

    Raises:
        TemplateError: EventBridge would reject a schedule, or the handler its message.
    """
    found = (_schedule(template, name) for name, entry in template.resources.items() if entry.get("Type") == _KIND
             and _value(template, name, "Target.Arn") == queue_arn)  # fmt: skip
    return tuple(found)


def _value(template: Template, resource: str, path: str) -> Any:
    """Return one property. Others, such as the role's ARN, may have values only on AWS."""
    node: Any = template.resources[resource].get("Properties")
    for name in path.split("."):
        node = (node or {}).get(name)
    return template.value(node, f"Resources.{resource}.Properties.{path}")


def _schedule(template: Template, resource: str) -> Schedule:
    def text(path: str, default: str | None = None) -> str:
        value = _value(template, resource, path)
        if value is None and default is None:
            raise template.error(f"Resources.{resource}.Properties.{path}", "is missing, and EventBridge requires it.")
        return str(default if value is None else value)

    location = f"Resources.{resource}.Properties"
    if text("FlexibleTimeWindow.Mode") != "OFF":
        problem = 'must be "OFF": the local stack runs schedules at their exact time.'
        raise template.error(f"{location}.FlexibleTimeWindow.Mode", problem)
    dates = [datetime.fromisoformat(value) if value else None for value in (text("StartDate", ""), text("EndDate", ""))]
    schedule = Schedule(
        name="", expression=text("ScheduleExpression"), timezone=text("ScheduleExpressionTimezone", "UTC"),
        enabled=text("State", "ENABLED") == "ENABLED", start=dates[0], end=dates[1], input=text("Target.Input"),
    )  # fmt: skip
    if not re.fullmatch(r"(cron|rate|at)\(.*\)", schedule.expression):
        problem = f"{schedule.expression!r} is not a schedule expression. {_FORMS}"
        raise template.error(f"{location}.ScheduleExpression", problem)
    try:
        next(schedule.times(_ANY_TIME, _ANY_TIME), None)
        return replace(schedule, name=schedule.requested_run(_ANY_TIME).schedule)
    except (ValueError, KeyError, EventError) as error:  # KeyError: an unknown time zone
        raise template.error(location, f"{error} {_FORMS if isinstance(error, ValueError) else ''}".strip()) from error
