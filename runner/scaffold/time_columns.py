"""The column or columns of a table that hold the time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runner.errors import ScaffoldError
from runner.scaffold import time_formats
from runner.scaffold.sample import Sample

if TYPE_CHECKING:
    pass

_NAME = re.compile(r"time|date|stamp|utc|gmt|epoch|unix|\bts\b|zeit|datum|fecha|hora|^dt$|^t$", re.IGNORECASE)
_PARTS = {
    "year": ("#YY", "YY", "YYYY", "yr", "#yr", "year", "Year", "YEAR", "yyyy", "iyear", "YR", "#Year", "#YYYY"),
    "month": ("MM", "mo", "month", "Month", "MONTH", "MO", "imonth", "mon"),
    "day": ("DD", "dy", "day", "Day", "DAY", "dd", "DY", "iday"),
    "hour": ("hh", "hr", "hour", "Hour", "HOUR", "HH", "HR"),
    "minute": ("mm", "mn", "minute", "Minute", "MINUTE", "min", "MIN", "MN", "mi", "Min"),
    "second": ("ss", "sec", "second", "Second", "SECOND", "SS", "SEC", "Sec", "seconds"),
}
_DAY_OF_YEAR = re.compile(r"^#?(?:doy|jday|julian|julian ?day|jd|day_?of_?year|yday|timej|yearday|decimal ?day)$", re.I)
AS_TIMES = "times"
"""The format of a column that is read as times, from a workbook or NetCDF."""
_CLOCK = re.compile(r"^(?:hhmm|hourmin|hour_?minute|hrmn|time)$", re.IGNORECASE)


@dataclass
class Times:
    """Where the time of each row is, and how to read it."""

    columns: list[str]
    format: str
    """In words, or a format of `strptime` if `expression` is empty."""
    values: Any
    """The times, without a time zone; in UTC if the text names its own."""
    expression: str = ""
    """Code that computes the times from `table`; empty if a converter can parse one column of text."""
    is_utc: bool = False
    """Whether the file itself says that they are in UTC, or with what offset."""
    alternatives: list[str] = field(default_factory=list)
    """Other formats that fit."""
    text_columns: list[str] = field(default_factory=list)
    """Columns to read as text, because numbers lose their leading zeros."""
    needs_year: bool = False
    """Whether the year is an assumption."""

    @property
    def is_text(self) -> bool:
        """Whether they are one column of text, which a converter of tsdat can parse."""
        return not self.expression and self.format != AS_TIMES

    @property
    def name(self) -> str:
        """The columns in words."""
        return " + ".join(self.columns)


def candidates(sample: Sample, year: int | None = None) -> list[Times]:
    """Return all ways to read a time from the table, the best first.

    Args:
        sample: of a file.
        year: of the days, where the file has only days of the year.
    """
    table = sample.table
    found = [*_parts(table), *_days_of_year(sample, year)]
    texts = [name for name in table.columns if table[name].notna().any() and table[name].dtype.kind not in "fbM"]
    dates = {}
    clocks = {}
    for name in texts:
        values = table[name].dropna()
        is_text = values.dtype.kind not in "iu"
        if formats := time_formats.of_dates(values.astype(str)):
            dates[name] = formats
        elif formats := time_formats.of_times(values.astype(str)) if is_text or len(str(values.iloc[0])) >= 10 else []:
            found.append(_text(name, formats, values, is_text))
        elif (is_text or _CLOCK.match(name)) and (formats := time_formats.of_clocks(_padded(values))):
            clocks[name] = formats
    found += _dates_and_clocks(table, dates, clocks)
    found += [Times([str(n)], AS_TIMES, _naive(table[n])) for n in table.columns if table[n].dtype.kind == "M"]
    found += [times for name in table.columns for times in _numbers(table, name)]
    found += [
        _text(name, formats, table[name].dropna(), table[name].dtype.kind not in "iu")
        for name, formats in dates.items()
    ]
    return sorted(found, key=_rank)


def _rank(times: Times) -> tuple[bool, bool, bool]:
    ordered = times.values.dropna()
    return (times.needs_year, not (ordered.is_monotonic_increasing or len(times.columns) > 1),
            not any(_NAME.search(name) for name in times.columns))  # fmt: skip


def _naive(values: Any) -> Any:
    return values.dt.tz_convert("UTC").dt.tz_localize(None) if getattr(values.dt, "tz", None) else values


def _padded(values: Any) -> Any:
    texts = values.astype(str).str.strip()
    return texts.str.zfill(4) if values.dtype.kind in "iu" else texts


def _text(name: str, formats: list[str], values: Any, is_text: bool) -> Times:
    times = parse(name, formats[0], values)
    times.alternatives = formats[1:]
    times.text_columns = [] if is_text else [name]
    return times


def parse(name: str, format_: str, values: Any) -> Times:
    """Return the times of a column of text.

    Raises:
        ScaffoldError: the format does not fit.
    """
    import pandas as pd

    try:
        parsed = pd.to_datetime(values.astype(str).str.strip(), format=format_, utc=True).dt.tz_localize(None)
    except ValueError as error:
        raise ScaffoldError(
            f"The time format {format_!r} does not fit the column {name!r}: {error}. Correct --time-format."
        ) from error
    return Times([name], format_, parsed, is_utc=time_formats.has_offset(format_, values))


def _dates_and_clocks(table: Any, dates: dict[str, list[str]], clocks: dict[str, list[str]]) -> Iterator[Times]:
    import pandas as pd

    for date, date_formats in dates.items():
        for clock, clock_formats in clocks.items():
            pads = table[clock].dtype.kind in "iu"
            padded = ".str.zfill(4)" if pads else ""
            format_ = f"{date_formats[0]} {clock_formats[0]}"
            text = table[date].astype(str) + " " + _padded(table[clock])
            columns = f'table[{date!r}].astype(str) + " " + table[{clock!r}].astype(str){padded}'
            expression = f"pd.to_datetime({columns}, format={format_!r})"
            yield Times([date, clock], format_, pd.to_datetime(text, format=format_), expression,
                        alternatives=[f"{one} {clock_formats[0]}" for one in date_formats[1:]])  # fmt: skip
    for date in [name for name in table.columns if table[name].dtype.kind == "M"]:
        for clock in [
            n
            for n in table.columns
            if table[n].dtype == object
            and hasattr(table[n].dropna().iloc[:1].tolist()[0] if table[n].notna().any() else "", "hour")
        ]:  # noqa: E501
            if hasattr(table[clock].dropna().iloc[0], "year"):
                continue
            expression = f"pd.to_datetime(table[{date!r}].dt.strftime('%Y-%m-%d ') + table[{clock!r}].astype(str))"
            values = pd.to_datetime(table[date].dt.strftime("%Y-%m-%d ") + table[clock].astype(str))
            yield Times([date, clock], "a date and a time of day", values, expression)


def _parts(table: Any) -> Iterator[Times]:
    """Yield the times of columns such as year, month, day, hour, minute."""
    import pandas as pd

    found: dict[str, str] = {}
    for part, names in _PARTS.items():
        if name := next((n for n in names if n in table.columns and n not in found.values()), None):
            found[part] = name
    if not {"year", "month", "day"} <= found.keys() or not all(
        table[name].dtype.kind in "iu" for name in found.values()
    ):
        return
    columns, parts = list(found.values()), list(found)
    shift = "" if table[found["year"]].min() > 99 else ".assign(year=lambda parts: parts.year + 2000)"
    frame = table[columns].set_axis(parts, axis=1)
    if shift:
        frame["year"] += 2000
    try:
        values = pd.to_datetime(frame)
    except ValueError:
        return
    expression = f"pd.to_datetime(table[{columns!r}].set_axis({parts!r}, axis=1){shift})"
    yield Times(columns, ", ".join(parts), values, expression)


def _days_of_year(sample: Sample, year: int | None) -> Iterator[Times]:
    import pandas as pd

    table = sample.table
    days = [
        n
        for n in table.columns
        if _DAY_OF_YEAR.match(n) and table[n].dtype.kind in "iuf" and table[n].between(0, 367).all()
    ]
    years = [n for n in _PARTS["year"] if n in table.columns and table[n].between(1900, 2100).all()]
    clocks = [
        n for n in table.columns if _CLOCK.match(n) and table[n].dtype.kind in "iu" and table[n].between(0, 2400).all()
    ]
    for day in days:
        columns = [*years[:1], day, *clocks[:1]]
        guessed = year or _year_of(sample)
        if years:
            start, base = (
                f"pd.to_datetime(table[{years[0]!r}].astype(str), format='%Y')",
                pd.to_datetime(table[years[0]].astype(str), format="%Y"),
            )
        elif guessed:
            start, base = f'pd.Timestamp("{guessed}-01-01")', pd.Timestamp(f"{guessed}-01-01")
        else:
            start, base = "", pd.Timestamp("1900-01-01")
        expression = f"({start} + pd.to_timedelta(table[{day!r}] - 1, unit='D'))"
        values = base + pd.to_timedelta(table[day] - 1, unit="D")
        if clocks:
            clock = clocks[0]
            expression += f" + pd.to_timedelta(table[{clock!r}] // 100 * 60 + table[{clock!r}] % 100, unit='min')"
            values = values + pd.to_timedelta(table[clock] // 100 * 60 + table[clock] % 100, unit="min")
        if not clocks and table[day].dtype.kind == "f":
            expression += ".dt.round('s')"
            values = values.dt.round("s")
        yield Times(columns, "day of the year" if years else f"day of the year {guessed or '?'}", values, expression,
                    needs_year=not years)  # fmt: skip


def _year_of(sample: Sample) -> int | None:
    """Return the year in the file's name or preamble."""
    for text in (sample.path.name, *sample.preamble):
        if found := re.search(r"(?<!\d)((?:19|20)\d\d)(?:\d{4})?(?!\d)", text):
            return int(found[1])
    return None


# What a number counts: its range, the code that converts it, and the name.
_COUNTS = (
    (6e8, 4.2e9, "pd.to_datetime({column}, unit='s')", "seconds since 1970"),
    (6e11, 4.2e12, "pd.to_datetime({column}, unit='ms')", "milliseconds since 1970"),
    (6e14, 4.2e15, "pd.to_datetime({column}, unit='us')", "microseconds since 1970"),
    (6e17, 4.2e18, "pd.to_datetime({column}, unit='ns')", "nanoseconds since 1970"),
    (30000, 60000, "pd.to_datetime({column}, unit='D', origin='1899-12-30').dt.round('ms')", "days of Excel"),
    (715000, 760000, "pd.to_datetime({column} - 719529, unit='D').dt.round('ms')", "days of Matlab"),
    (2400000, 2500000, "pd.to_datetime({column}, unit='D', origin='julian').dt.round('ms')", "Julian days"),
)  # fmt: skip


def _numbers(table: Any, name: str) -> Iterator[Times]:
    """Yield the times of a column of numbers that count seconds or days."""
    import pandas as pd

    values = table[name].dropna()
    if values.dtype.kind not in "iuf" or values.empty or not values.is_monotonic_increasing:
        return
    for low, high, code, words in _COUNTS:
        is_named = bool(_NAME.search(name)) or bool(
            re.search("day|julian|matlab|excel|serial|num", name, re.IGNORECASE)
        )
        if low <= values.min() and values.max() <= high and (is_named or name == table.columns[0]):
            expression = code.format(column=f"table[{name!r}]")
            result = eval(expression, {"pd": pd, "table": table})  # noqa: S307  our own code, on a column's name
            yield Times([name], words, result, expression, is_utc="1970" in words)
