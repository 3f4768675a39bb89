"""Makes the plan of a pipeline: proposes what the sample says, and asks for the rest."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from runner.errors import ScaffoldError
from runner.scaffold import plan as plans
from runner.scaffold import time_columns, unit_names, variables
from runner.scaffold.plan import Plan
from runner.scaffold.sample import Sample
from runner.scaffold.time_columns import Times

_LOCATION = re.compile(r"[A-Za-z0-9_]+")
_LEVEL = re.compile(r"[a-z][0-9a-z]{1,2}")


@dataclass
class Answers:
    """What the user named by options. None is asked for, or proposed."""

    location: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    time_column: str | None = None
    time_format: str | None = None
    timezone: str | None = None
    year: int | None = None
    level: str | None = None
    title: str | None = None
    institution: str | None = None
    trigger: str | None = None
    units: dict[str, str] = field(default_factory=dict)


Ask = Callable[[str, str, Callable[[str], object]], str]
"""Asks a question with a default answer, until the check accepts the answer by not raising a ScaffoldError."""


def accept_defaults(question: str, default: str, check: Callable[[str], object]) -> str:
    """Answer each question by its default."""
    check(default)
    return default


def make(name: str, sample: Sample, answers: Answers, ask: Ask, in_use: Callable[[str], str]) -> Plan:
    """Return the plan of a pipeline.

    Args:
        name: of the pipeline.
        sample: of its files.
        answers: given by options.
        ask: asks for the others.
        in_use: returns the trigger if no other pipeline takes the sample's name.

    Raises:
        ScaffoldError: the file has no time or no column of numbers, or an option is not valid.
    """
    times = _times(sample, answers, ask)
    zone = answers.timezone or plans.zone_in(sample, times)
    if zone is None:
        zone = ask("Time zone of the times (UTC, UTC-08:00, America/Los_Angeles)", "UTC", plans.timezone_of)
    zone = plans.timezone_of(zone)
    units = _units(sample, times, answers, ask)
    proposed, left_out = variables.propose(sample, times.columns, units)
    if not proposed:
        raise ScaffoldError(
            f"{sample.path}: it has no column of numbers besides the time. Its columns: {_columns(sample)}."
        )
    plan = Plan(name, sample, times, proposed, left_out, timezone=zone, units=units)
    if times.text_columns and sample.reading.classname.endswith("CSVReader"):
        sample.reading.csv_options["dtype"] = dict.fromkeys(times.text_columns, "str")
    _place(plan, answers, ask)
    plan.title = answers.title or ask(
        "Title of the dataset", f"{name.replace('_', ' ').capitalize()} at {plan.location_name}", _any
    )
    plan.institution = answers.institution or ask("Institution", "Unknown", _any)
    plan.level = answers.level or ask("Data level (a1: as ingested, b1: with quality checks)", "b1", require_level)
    require_level(plan.level)
    plan.trigger = answers.trigger or ask("Pattern of the file names", plans.propose_trigger(sample.path), in_use)
    in_use(plan.trigger)
    plan.temporal = plans.cadence(times)
    ordered = times.values.dropna()
    plan.is_sorted = bool(ordered.is_monotonic_increasing and ordered.is_unique and len(ordered) == len(sample.table))
    return plan


def _any(text: str) -> None:
    if not text.strip():
        raise ScaffoldError("Write at least one word.")


def require_level(text: str) -> None:
    """Refuse a data level that no file name can hold."""
    if not _LEVEL.fullmatch(text):
        raise ScaffoldError(f"{text!r} is not a data level. Write a letter and a digit, such as a1, b1 or c1.")


def _require_location(text: str) -> None:
    if not text.strip() or not location_id(text):
        raise ScaffoldError(f'{text!r} has no letter or digit. Name the location, such as roof or "Hanford, WA".')


def location_id(text: str) -> str:
    """Return the location as file names hold it."""
    return text if _LOCATION.fullmatch(text) else variables.slug(text).removeprefix("v_")


def _columns(sample: Sample) -> str:
    names = [str(name) for name in sample.table.columns]
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def _times(sample: Sample, answers: Answers, ask: Ask) -> Times:
    found = time_columns.candidates(sample, answers.year)
    if answers.time_column:
        wanted = [part.strip() for part in answers.time_column.split(",")]
        if missing := [one for one in wanted if one not in sample.table.columns]:
            raise ScaffoldError(
                f"{sample.path}: it has no column {missing[0]!r}, but {_columns(sample)}. Correct --time-column."
            )
        if answers.time_format:
            return time_columns.parse(wanted[0], answers.time_format, sample.table[wanted[0]].dropna())
        found = [times for times in found if times.columns == wanted]
        if not found:
            raise ScaffoldError(
                f"{sample.path}: no known format fits the column {answers.time_column!r}, whose first value is "
                f"{sample.table[wanted[0]].iloc[0]!r}. Name it: --time-format '%d.%m.%Y %H:%M'."
            )
    if not found:
        raise ScaffoldError(
            f"{sample.path}: it has no column with times. Its columns: {_columns(sample)}. Name it with --time-column, "
            "and with --time-format '%d.%m.%Y %H:%M' if it is text."
        )
    chosen = found[0]
    names = [times.name for times in found]
    if len(set(names)) > 1 and not answers.time_column:
        name = ask(f"Time column ({', '.join(dict.fromkeys(names))})", names[0], lambda text: _one_of(text, names))
        chosen = found[names.index(name)]
    if answers.time_format and chosen.is_text:
        return time_columns.parse(chosen.columns[0], answers.time_format, sample.table[chosen.columns[0]].dropna())
    if chosen.needs_year:
        return _with_year(sample, chosen, answers, ask)
    return _unambiguous(sample, chosen, ask)


def _one_of(text: str, names: list[str]) -> None:
    if text not in names:
        raise ScaffoldError(f"{text!r} is none of {', '.join(dict.fromkeys(names))}.")


def _with_year(sample: Sample, times: Times, answers: Answers, ask: Ask) -> Times:
    guessed = times.format.rpartition(" ")[2]
    if answers.year is None and guessed == "?":
        guessed = ask("Year of the days in the file", "", lambda text: _require_year(sample, text))
    year = answers.year or int(guessed)
    found = [one for one in time_columns.candidates(sample, year) if one.columns == times.columns]
    return found[0]


def _require_year(sample: Sample, text: str) -> None:
    if not re.fullmatch(r"(?:19|20)\d\d", text.strip()):
        raise ScaffoldError(f"{sample.path}: it has days of the year, but no year. Name it: --year 2024.")


def _unambiguous(sample: Sample, times: Times, ask: Ask) -> Times:
    """Ask whether 05/01 is in May or in January, where both fit."""

    def order(format_: str) -> str:
        return "".join(re.findall(r"%([dmyY])", format_))

    others = [one for one in times.alternatives if order(one) != order(times.format) and "%d" in one]
    if not others or "%d" not in times.format:
        return times
    choices = [times.format, *others]
    format_ = ask(f"Format of {times.name} ({' or '.join(choices)})", times.format, lambda text: _one_of(text, choices))
    if format_ == times.format:
        return times
    if times.is_text:
        return time_columns.parse(times.columns[0], format_, sample.table[times.columns[0]].dropna())
    import pandas as pd

    text = sample.table[times.columns[0]].astype(str) + " " + sample.table[times.columns[1]].astype(str)
    times.values = pd.to_datetime(text, format=format_)
    times.expression, times.format = times.expression.replace(repr(times.format), repr(format_)), format_
    return times


def _units(sample: Sample, times: Times, answers: Answers, ask: Ask) -> dict[str, str]:
    """Return the units of columns by options, and by questions where the file names none."""
    units = dict(answers.units)
    if unknown := [column for column in units if column not in sample.table.columns]:
        raise ScaffoldError(f"{sample.path}: it has no column {unknown[0]!r}, but {_columns(sample)}. Correct --units.")
    for column, text in units.items():
        require_units(text, column)
    proposed, _ = variables.propose(sample, times.columns, units)
    for variable in proposed:
        if not variable.has_known_units:
            default = variable.source_units
            text = ask(f"Units of {variable.column}", default, require_units)
            if text != default or variable.standard_name:
                units[variable.column] = text
    return (
        {column: unit_names.clean(text) or text for column, text in units.items()}
        if ask is not accept_defaults
        else answers.units
    )


def require_units(text: str, column: str = "") -> None:
    """Refuse units that neither UDUNITS nor pint knows."""
    if variables.as_known(text) is None:
        of = f" of {column!r}" if column else ""
        raise ScaffoldError(
            f"{text!r}{of} is no known unit. Write it as UDUNITS does: degC, m/s, hPa, %, W m-2, or 1 for none."
        )


def _place(plan: Plan, answers: Answers, ask: Ask) -> None:
    name = answers.location or ask("Location", "site", _require_location)
    _require_location(name)
    plan.location_name, plan.location_id = name, location_id(name)
    if plan.is_moving:
        return
    latitude, longitude = plans.position_in(plan.sample)
    plan.latitude, plan.longitude = answers.latitude, answers.longitude
    if plan.latitude is None:
        text = ask(
            "Latitude in degrees north (empty if unknown)",
            "" if latitude is None else str(latitude),
            lambda t: _degrees(t, 90),
        )
        plan.latitude = _degrees(text, 90)
    if plan.longitude is None and plan.latitude is not None:
        text = ask("Longitude in degrees east", "" if longitude is None else str(longitude), lambda t: _degrees(t, 360))
        plan.longitude = _degrees(text, 360)
    if (plan.latitude is None) != (plan.longitude is None):
        raise ScaffoldError("A position has a latitude and a longitude. Name both: --latitude 46.3 --longitude -119.3.")
    for value, limit in ((plan.latitude, 90), (plan.longitude, 360)):
        if value is not None:
            _degrees(str(value), limit)


def _degrees(text: str, limit: float) -> float | None:
    if not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        value = limit + 1
    if not -limit <= value <= limit:
        raise ScaffoldError(f"{text!r} is not a number of degrees from -{limit} to {limit}.")
    return value
