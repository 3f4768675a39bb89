"""EventBridge's cron expressions, such as `cron(30 2 ? * MON-FRI *)`. Pure.

Six fields: minutes, hours, day of month, month, day of week, year ("Schedule types in EventBridge Scheduler", Amazon
EventBridge Scheduler User Guide). Days of the week count from Sunday, 1, to Saturday, 7. L is the last day, L-3 three
before it, 15W the weekday nearest to the 15th, LW the last weekday, 6L the last Friday, 3#2 the second Tuesday.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

_MONTHS = {"JAN": 1, "FEB": 2, "MAR": 3, "APR": 4, "MAY": 5, "JUN": 6, "JUL": 7, "AUG": 8, "SEP": 9, "OCT": 10,
           "NOV": 11, "DEC": 12}  # fmt: skip
_WEEKDAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
_LAST_YEAR = 2199
_SATURDAY, _SUNDAY = 5, 6  # of date.weekday()


@dataclass(frozen=True)
class Cron:
    """A parsed expression, without a time zone."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: tuple[int, ...]
    years: tuple[int, ...]
    month_days: str
    week_days: str

    @classmethod
    def parse(cls, text: str) -> Cron:
        """Parse the six fields.

        Raises:
            ValueError: EventBridge would reject them; the text names the field.
        """
        fields = text.upper().split()
        if len(fields) != 6:
            raise ValueError(f"cron({text}) has {len(fields)} fields. Write six: minutes, hours, day of month, month, "
                             "day of week, year.")  # fmt: skip
        minutes, hours, month_days, months, week_days, years = fields
        if (month_days == "?") == (week_days == "?"):
            raise ValueError(f"cron({text}): write ? for either the day of the month or the day of the week, not both.")
        cron = cls(
            _numbers("minutes", minutes, 0, 59),
            _numbers("hours", hours, 0, 23),
            _numbers("month", months, 1, 12, _MONTHS),
            _numbers("year", years, 1970, _LAST_YEAR),
            month_days,
            week_days,
        )
        cron.days(2024, 2)  # raises an error in the fields of days now
        return cron

    def dates(self, first: date) -> Iterator[date]:
        """Yield the matching days, starting at `first`."""
        for year in (year for year in self.years if year >= first.year):
            for month in self.months:
                yield from (found for day in self.days(year, month) if (found := date(year, month, day)) >= first)

    def days(self, year: int, month: int) -> list[int]:
        """Return the matching days of a month, in order."""
        length = calendar.monthrange(year, month)[1]
        if self.week_days == "?":
            return [day for day in _by_date(self.month_days, year, month) if day <= length]
        weekdays, which = _by_weekday(self.week_days)
        found = [day for day in range(1, length + 1) if date(year, month, day).isoweekday() % 7 + 1 in weekdays]
        return found if which is None else found[which:][:1]


def _by_date(field: str, year: int, month: int) -> tuple[int, ...]:
    last = calendar.monthrange(year, month)[1]
    if field == "LW":
        return _nearest_weekday(year, month, last)
    if found := re.fullmatch(r"L(?:-(\d+))?", field):
        return tuple(day for day in (last - int(found[1] or 0),) if day > 0)
    if found := re.fullmatch(r"(\d+)W", field):
        (day,) = _numbers("day of month", found[1], 1, 31)
        return _nearest_weekday(year, month, day) if day <= last else ()
    return _numbers("day of month", field, 1, 31)


def _nearest_weekday(year: int, month: int, day: int) -> tuple[int, ...]:
    """Stay in the month: if the 1st is a Saturday, return Monday the 3rd."""
    wanted = date(year, month, day)
    if wanted.weekday() == _SATURDAY:
        wanted += timedelta(days=-1 if day > 1 else 2)
    elif wanted.weekday() == _SUNDAY:
        wanted += timedelta(days=1 if day < calendar.monthrange(year, month)[1] else -2)
    return (wanted.day,)


def _by_weekday(field: str) -> tuple[tuple[int, ...], int | None]:
    """Return the weekdays, and the index among those days of the month if only one of them matches."""
    if field == "L":
        return (7,), None
    if found := re.fullmatch(r"(\w+)L", field):
        return _numbers("day of week", found[1], 1, 7, _WEEKDAYS), -1
    if found := re.fullmatch(r"(\w+)#([1-5])", field):
        return _numbers("day of week", found[1], 1, 7, _WEEKDAYS), int(found[2]) - 1
    return _numbers("day of week", field, 1, 7, _WEEKDAYS), None


def _numbers(name: str, field: str, low: int, high: int, names: dict[str, int] | None = None) -> tuple[int, ...]:
    """Return the numbers that match a field of lists, ranges and steps; FRI-MON wraps around."""
    for word, number in (names or {}).items():
        field = re.sub(rf"\b{word}\b", str(number), field)
    allowed: set[int] = set()
    for part in field.split(","):
        found = re.fullmatch(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?", part)
        begin, end, step = (int(text) if text else None for text in found.groups()) if found else (None, None, 0)
        if begin is None:
            begin, end = low, high
        elif end is None:
            end = begin if step is None else high
        if step == 0 or not low <= begin <= high or not low <= (end or 0) <= high:
            raise ValueError(
                f"{field!r} is not valid for {name}. Write numbers from {low} to {high} as in 1,5-8 or 0/10, or *."
            )
        span = ((end or 0) - begin) % (high - low + 1)
        allowed |= {(begin - low + offset) % (high - low + 1) + low for offset in range(0, span + 1, step or 1)}
    return tuple(sorted(allowed))
