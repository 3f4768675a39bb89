"""The schedules of template.yaml: what each asks for, and when, as EventBridge Scheduler reckons it. Pure.

"Schedule types in EventBridge Scheduler", Amazon EventBridge Scheduler User Guide: cron(…) reads a clock in the
schedule's time zone, skips times that a change to summer time leaves out and runs once at those that come twice;
rate(5 minutes) counts from StartDate, or from when the schedule was made; at(2026-12-01T02:30:00) is due once.
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
    """One AWS::Scheduler::Schedule that sends to the queue of the files."""

    name: str
    """As its Input gives it, which is how people and run records call it; AWS's name is unique in the account."""
    expression: str
    timezone: str
    enabled: bool
    start: datetime | None
    end: datetime | None
    input: str
    """JSON, with the keywords that EventBridge replaces in it."""

    def times(self, after: datetime, since: datetime) -> Iterator[datetime]:
        """When it is due, in UTC, later than `after` and in order, whether it is enabled or not.

        Args:
            since: when the schedule was made; a rate without StartDate counts from there.
        """
        for time in _times(self.expression, ZoneInfo(self.timezone), after, self.start or since):
            if self.end and time > self.end:
                return
            if time > after and (self.start is None or time >= self.start):
                yield time

    def message(self, time: datetime) -> str:
        """What EventBridge sends when the schedule is due."""
        arn = f"arn:aws:scheduler:us-west-2:000000000000:schedule/default/{self.name}"  # made up, as all local ARNs are
        text = self.input.replace("<aws.scheduler.scheduled-time>", iso(time))
        text = text.replace("<aws.scheduler.schedule-arn>", arn).replace("<aws.scheduler.attempt-number>", "1")
        return text.replace("<aws.scheduler.execution-id>", uuid.uuid4().hex[:16])

    def asks(self, time: datetime) -> Scheduled:
        """The run that its message asks for.

        Raises:
            EventError: the handler would refuse it.
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
        raise ValueError(f"rate({text}): write a whole number and minutes, hours or days.")
    return timedelta(**{f"{found[2]}s": int(found[1])})


def find(template: Template, queue_arn: str) -> tuple[Schedule, ...]:
    """The schedules of a template that send to a queue, in its order.

    Raises:
        TemplateError: EventBridge would refuse one, or the handler what it sends.
    """
    found = (_schedule(template, name) for name, entry in template.resources.items() if entry.get("Type") == _KIND
             and _value(template, name, "Target.Arn") == queue_arn)  # fmt: skip
    return tuple(found)


def _value(template: Template, resource: str, path: str) -> Any:
    """One property; the others, such as the role's ARN, may have values only on AWS."""
    node: Any = template.resources[resource].get("Properties")
    for name in path.split("."):
        node = (node or {}).get(name)
    return template.value(node, f"Resources.{resource}.Properties.{path}")


def _schedule(template: Template, resource: str) -> Schedule:
    def text(path: str, default: str | None = None) -> str:
        value = _value(template, resource, path)
        if value is None and default is None:
            raise template.error(f"Resources.{resource}.Properties.{path}", "is missing, and EventBridge needs it.")
        return str(default if value is None else value)

    at = f"Resources.{resource}.Properties"
    if text("FlexibleTimeWindow.Mode") != "OFF":
        raise template.error(f"{at}.FlexibleTimeWindow.Mode", 'must be "OFF": here schedules are due at their time.')
    dates = [datetime.fromisoformat(value) if value else None for value in (text("StartDate", ""), text("EndDate", ""))]
    schedule = Schedule(
        name="", expression=text("ScheduleExpression"), timezone=text("ScheduleExpressionTimezone", "UTC"),
        enabled=text("State", "ENABLED") == "ENABLED", start=dates[0], end=dates[1], input=text("Target.Input"),
    )  # fmt: skip
    if not re.fullmatch(r"(cron|rate|at)\(.*\)", schedule.expression):
        raise template.error(f"{at}.ScheduleExpression", f"{schedule.expression!r} is no schedule. {_FORMS}")
    try:
        next(schedule.times(_ANY_TIME, _ANY_TIME), None)
        return replace(schedule, name=schedule.asks(_ANY_TIME).schedule)
    except (ValueError, KeyError, EventError) as error:  # KeyError: an unknown time zone
        raise template.error(at, f"{error} {_FORMS if isinstance(error, ValueError) else ''}".strip()) from error
