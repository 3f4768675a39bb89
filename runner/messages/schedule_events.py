"""The events of schedules: a pipeline config and a window of time. Pure.

EventBridge Scheduler sends the Input of an AWS::Scheduler::Schedule in template.yaml, with the scheduled time filled in
("Adding context attributes", Amazon EventBridge Scheduler User Guide). For a VAP:

    {"source": "tsdat.schedule", "schedule": "buoy-wind-hourly", "time": "<aws.scheduler.scheduled-time>",
     "config": "pipelines/buoy_wind_hourly/config/pipeline.yaml", "window": {"length_h": 24, "round_h": 24}}

The window is computed from the scheduled time, so that a retry or a redrive days later has the same window. It ends at
that time rounded down to a multiple of `round_h` hours (0: not rounded; 24: UTC days), and it is `length_h` hours long.
The event for an ingest also has a "bucket" and a "prefix": it processes the objects below the prefix that were last
modified in the window. `runner trigger` may send an explicit window instead:
{"begin": "2020-12-01T00:00:00Z", "end": "2020-12-02T00:00:00Z"}.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from runner.errors import EventError

SOURCE = "tsdat.schedule"
_KNOWN = {"source", "schedule", "time", "config", "window", "bucket", "prefix"}


@dataclass(frozen=True)
class Window:
    """A span of time in UTC that excludes its end."""

    begin: datetime
    end: datetime

    def as_json(self) -> dict[str, str]:
        """Return the form used in run records and events."""
        return {"begin": iso(self.begin), "end": iso(self.end)}

    def for_tsdat(self) -> list[str]:
        """Return the form that tsdat's TransformationPipeline takes."""
        return [f"{time:%Y%m%d.%H%M%S}" for time in (self.begin, self.end)]

    def __str__(self) -> str:
        return f"{iso(self.begin)} to {iso(self.end)}"


@dataclass(frozen=True)
class Scheduled:
    """A run requested by a schedule."""

    schedule: str
    config: str
    window: Window
    bucket: str | None
    """The bucket that an ingest searches; None for a VAP, which reads stored data."""
    prefix: str


def iso(time: datetime) -> str:
    """Return a time in EventBridge's format: 2020-12-01T00:00:00Z."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def parse(event: Mapping[str, Any]) -> Scheduled:
    """Parse a schedule's event.

    Raises:
        EventError: a field is missing, unknown or invalid.
    """
    if unknown := event.keys() - _KNOWN:
        raise _error(event, f"unknown {', '.join(sorted(unknown))}. Known: {', '.join(sorted(_KNOWN))}")
    if ("bucket" in event) != ("prefix" in event):
        raise _error(event, "an ingest needs both a bucket and a prefix (which may be empty), and a VAP needs neither")
    return Scheduled(
        schedule=_text(event, "schedule"),
        config=_text(event, "config"),
        window=_window(event),
        bucket=_text(event, "bucket") if "bucket" in event else None,
        prefix=str(event.get("prefix", "")),
    )


def _window(event: Mapping[str, Any]) -> Window:
    match event.get("window"):
        case {"begin": str(begin), "end": str(end), **rest} if not rest:
            window = Window(_time(event, begin), _time(event, end))
        case {"length_h": int() | float() as length_h, "round_h": int() | float() as round_h, **rest} if not rest:
            time = _time(event, _text(event, "time"))
            midnight = datetime(1970, 1, 1, tzinfo=UTC)
            past = (time - midnight) % timedelta(hours=round_h) if round_h > 0 else timedelta()
            window = Window(time - past - timedelta(hours=length_h), time - past)
        case other:
            raise _error(
                event, f"the window {other!r} must have either length_h and round_h, in hours, or begin and end"
            )
    if window.begin >= window.end:
        raise _error(event, f"the window from {window} is empty")
    return window


def _text(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    if not isinstance(value, str) or not value:
        raise _error(event, f"{name} is {value!r}, but must be a non-empty string")
    return value


def _time(event: Mapping[str, Any], text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise _error(event, f"{text!r} is not a time such as 2020-12-01T00:00:00Z") from None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _error(event: Mapping[str, Any], text: str) -> EventError:
    return EventError(
        f"Invalid event of the schedule {event.get('schedule')!r}: {text}. Correct its Input in template.yaml."
    )
