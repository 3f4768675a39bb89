"""The formats of times that are written as text."""

from __future__ import annotations

import itertools
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%m.%d.%Y",
    "%m/%d/%y", "%d/%m/%y", "%y/%m/%d", "%d.%m.%y", "%d-%b-%Y", "%d %b %Y", "%d%b%Y", "%b %d %Y", "%b %d, %Y",
    "%d-%b-%y", "%d %B %Y", "%B %d, %Y", "%Y-%b-%d", "%Y%m%d", "%Y-%j", "%Y%j",
)  # fmt: skip
_CLOCKS = ("%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%I:%M:%S %p", "%I:%M %p", "%I:%M:%S%p", "%H%M%S", "%H%M", "%H:%M:%S,%f", "%H")  # fmt: skip  # noqa: E501
_JOINTS = (" ", "T", ", ", "  ", "", "_", "-", ":", " - ")
_DIGITS = {"Y": 4, "j": 3}
_ZONES = ("", "%z", " %z", " UTC", " GMT", " Z")


def of_dates(values: pd.Series[Any]) -> list[str]:
    """Return the formats of dates without a time of day that fit all values."""
    return _fitting(values, _DATES)


def of_clocks(values: pd.Series[Any]) -> list[str]:
    """Return the formats of times of day that fit all values."""
    return _fitting(values, _CLOCKS)


def of_times(values: pd.Series[Any]) -> list[str]:
    """Return the formats of dates with a time of day that fit all values."""
    first = str(values.iloc[0])
    joints = [joint for joint in _JOINTS if joint and joint in first]
    parts = [
        *itertools.product([one for one in _DATES if "%j" not in one], joints, _CLOCKS, _ZONES),
        *itertools.product(("%Y%m%d", "%Y%j"), ("",), ("%H%M%S", "%H%M", "%H"), _ZONES),
    ]
    found = _fitting(values, ["".join(part) for part in parts])
    if not found and re.match(r"\d{4}-\d\d-\d\d[T ]\d", first) and fits(values, "ISO8601"):
        return ["ISO8601"]  # fractions of seconds in some rows only
    return found


def has_offset(format_: str, values: pd.Series[Any]) -> bool:
    """Whether the text names its own time zone."""
    last = str(values.iloc[0])
    return (
        "%z" in format_
        or format_.endswith(("UTC", "GMT", "Z"))
        or bool(format_ == "ISO8601" and re.search(r"(?:Z|[+-]\d\d:?\d\d)$", last))
    )


def _fitting(values: pd.Series[Any], formats: Any) -> list[str]:
    first, last = str(values.iloc[0]).strip(), str(values.iloc[-1]).strip()
    found = [one for one in formats if _parses(first, one) and _parses(last, one)]
    return [one for one in found if fits(values, one)]


def _parses(text: str, format_: str) -> bool:
    runs, digits = re.findall(r"(?:%[YmdjHMS])+", format_), len(max(re.findall(r"\d+", text), key=len, default=""))
    wanted = max((sum(_DIGITS.get(part, 2) for part in run.split("%") if part) for run in runs), default=0)
    if wanted > 4 and digits != wanted or format_ == "%H%M" and digits != 4:
        return False  # strptime reads 1530 as 15:03:00, too
    if len(re.findall(r"\d", text)) < 3 * ("%" in format_) or (
        "%Y%m%d" in format_ and not re.match(r"(19|20)\d\d", text)
    ):
        return False
    try:
        datetime.strptime(text, format_)  # noqa: DTZ007  a time zone is found later
    except ValueError:
        return False
    return True


def fits(values: pd.Series[Any], format_: str) -> bool:
    """Whether all values have a format."""
    import pandas as pd

    try:
        pd.to_datetime(values.astype(str).str.strip(), format=format_, utc=True)
    except ValueError:
        return False
    return True
