"""What a schedule asks for: a pipeline config and a window of time. Pure: JSON in, Scheduled out.

EventBridge Scheduler sends the Input of an AWS::Scheduler::Schedule in template.yaml, and puts the time in ("Adding
context attributes", Amazon EventBridge Scheduler User Guide). A VAP:

    {"source": "tsdat.schedule", "schedule": "buoy-wind-hourly", "time": "<aws.scheduler.scheduled-time>",
     "config": "pipelines/buoy_wind_hourly/config/pipeline.yaml", "window": {"length_h": 24, "round_h": 24}}

The window comes out of the scheduled time, so that a retry or a redrive days later has the same: it ends at the time
rounded down to a multiple of `round_h` hours (0 rounds to nothing; 24 are days of UTC) and is `length_h` long. An
ingest also has a "bucket" and a "prefix", and takes the objects below it that came within the window. `runner trigger`
may give a window outright: {"begin": "2020-12-01T00:00:00Z", "end": "2020-12-02T00:00:00Z"}.
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
    """A span of time in UTC, without its end."""

    begin: datetime
    end: datetime

    def as_json(self) -> dict[str, str]:
        """As run records and events hold it."""
        return {"begin": iso(self.begin), "end": iso(self.end)}

    def for_tsdat(self) -> list[str]:
        """As tsdat's TransformationPipeline takes it."""
        return [f"{time:%Y%m%d.%H%M%S}" for time in (self.begin, self.end)]

    def __str__(self) -> str:
        return f"{iso(self.begin)} to {iso(self.end)}"


@dataclass(frozen=True)
class Scheduled:
    """A run that a schedule asks for."""

    schedule: str
    config: str
    window: Window
    bucket: str | None
    """Where an ingest looks for objects; None for a VAP, which reads what is stored."""
    prefix: str


def iso(time: datetime) -> str:
    """A time as EventBridge writes it: 2020-12-01T00:00:00Z."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def read(event: Mapping[str, Any]) -> Scheduled:
    """Read a schedule's event.

    Raises:
        EventError: something is missing, misspelt or no time.
    """
    if unknown := event.keys() - _KNOWN:
        raise _error(event, f"unknown {', '.join(sorted(unknown))}. Known: {', '.join(sorted(_KNOWN))}")
    if ("bucket" in event) != ("prefix" in event):
        raise _error(event, "an ingest needs both a bucket and a prefix (which may be empty), a VAP neither")
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
            raise _error(event, f"the window {other!r} has neither length_h and round_h, in hours, nor begin and end")
    if window.begin >= window.end:
        raise _error(event, f"the window from {window} is empty")
    return window


def _text(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    if not isinstance(value, str) or not value:
        raise _error(event, f"{name} is {value!r}, and must be a text")
    return value


def _time(event: Mapping[str, Any], text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise _error(event, f"{text!r} is no time such as 2020-12-01T00:00:00Z") from None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _error(event: Mapping[str, Any], text: str) -> EventError:
    return EventError(f"A schedule's event ({event.get('schedule')!r}): {text}. Correct its Input in template.yaml.")
