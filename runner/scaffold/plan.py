"""What the new pipeline will be: proposed from a sample, and changed by the answers to questions."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

from runner.errors import ScaffoldError
from runner.scaffold import file_names

if TYPE_CHECKING:
    from runner.scaffold.sample import Sample
    from runner.scaffold.time_columns import Times
    from runner.scaffold.variables import Variable

_OFFSET = re.compile(r"(?:UTC|GMT)\s*([+-])(\d{1,2})(?::?(\d\d))?")


@dataclass
class Plan:
    """A pipeline to write."""

    name: str
    sample: Sample
    times: Times
    variables: list[Variable]
    left_out: list[str]
    location_id: str = "site"
    location_name: str = ""
    latitude: float | None = None
    longitude: float | None = None
    timezone: str = "UTC"
    level: str = "b1"
    title: str = ""
    institution: str = ""
    trigger: str = ""
    temporal: str = ""
    is_sorted: bool = True
    """Whether the times in the sample increase; otherwise the pipeline sorts them."""
    units: dict[str, str] = field(default_factory=dict)
    """Units by column, as the user named them."""

    @property
    def class_name(self) -> str:
        """The name of the pipeline's class."""
        return "".join(part.capitalize() for part in self.name.split("_"))

    @property
    def needs_reader(self) -> bool:
        """Whether no reader of tsdat can read the file."""
        must_shift = not self.times.is_text and not self.is_in_utc
        return not self.sample.reading.classname or bool(self.times.expression) or must_shift

    @property
    def is_in_utc(self) -> bool:
        """Whether the times need no shift to UTC."""
        return self.times.is_utc or self.timezone == "UTC"

    @property
    def is_moving(self) -> bool:
        """Whether the file has the platform's positions."""
        return {"latitude", "longitude"} <= {variable.name for variable in self.variables}


def require_name(name: str) -> None:
    """Refuse a name that a pipeline cannot have.

    Raises:
        ScaffoldError: it is not valid.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]", name) or keyword.iskeyword(name):
        hint = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        hint = hint if re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]", hint) and not keyword.iskeyword(hint) else "my_met"
        raise ScaffoldError(
            f"{name!r} cannot be the name of a pipeline. Use lower case letters, digits and underscores, a letter "
            f"first, at least two, and no word of Python: {hint}."
        )


def timezone_of(text: str) -> str:
    """Return a time zone as pandas knows it: UTC, America/Los_Angeles, UTC-08:00.

    Raises:
        ScaffoldError: there is none of this name.
    """
    text = text.strip()
    if text.upper() in ("UTC", "GMT", "Z", "UT"):
        return "UTC"
    if found := _OFFSET.fullmatch(text.upper()):
        sign, hours, minutes = found[1], int(found[2]), found[3] or "00"
        if hours <= 14:
            return "UTC" if hours == 0 and minutes == "00" else f"UTC{sign}{hours:02}:{minutes}"
    if text in available_timezones():
        return text
    raise ScaffoldError(
        f"There is no time zone {text!r}. Write UTC, an offset as in UTC-08:00, or a name as in America/Los_Angeles."
    )


def zone_in(sample: Sample, times: Times) -> str | None:
    """Return the time zone that the file names, or None."""
    if times.is_utc:
        return "UTC"
    texts = [*times.columns, *(sample.units.get(column, "") for column in times.columns), *sample.preamble]
    for text in texts:
        if found := _OFFSET.search(text.upper()):
            return timezone_of(found[0])
    if any(re.search(r"\b(?:UTC|GMT)\b", text.replace("_", " "), re.IGNORECASE) for text in texts):
        return "UTC"
    return None


def position_in(sample: Sample) -> tuple[float | None, float | None]:
    """Return latitude and longitude as the lines above the header name them."""
    text = "\n".join(sample.preamble)
    found = [re.search(rf"{word}\w*\s*[\]:=,;]?\s*\"?(-?\d+\.\d+)", text, re.IGNORECASE) for word in ("lat", "lon")]
    latitude, longitude = (float(match[1]) if match else None for match in found)
    return (latitude, longitude) if latitude is not None and longitude is not None else (None, None)


def cadence(times: Times) -> str:
    """Return the interval between most rows as tsdat writes it, such as 10m; empty if it varies."""
    steps = times.values.dropna().sort_values().diff().dropna().dt.total_seconds()
    steps = steps[steps > 0]
    if steps.empty or (steps == steps.mode()[0]).mean() < 0.6:
        return ""
    seconds = steps.mode()[0]
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        if seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{1000 * seconds:.0f}ms" if seconds * 1000 % 1 == 0 else ""


def propose_trigger(path: Path) -> str:
    """Return the trigger for files named like the sample."""
    return file_names.pattern(path.name)
