"""The trigger of a pipeline, from the name of a sample file."""

from __future__ import annotations

import re

# Dates and times in file names, the longest first. Each stands alone: no digit before or after it.
_YEAR, _MONTH, _DAY = r"(?:19|20)\d\d", r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])"
_CLOCK = r"(?:[01]\d|2[0-3])[0-5]\d"
_DATES = (
    rf"{_YEAR}[-_.]{_MONTH}[-_.]{_DAY}",
    rf"{_DAY}[-_.]{_MONTH}[-_.]{_YEAR}",
    rf"{_YEAR}{_MONTH}{_DAY}(?:{_CLOCK})(?:[0-5]\d)?",
    rf"{_YEAR}{_MONTH}{_DAY}\d\d",
    rf"{_YEAR}{_MONTH}{_DAY}",
    rf"{_DAY}{_MONTH}{_YEAR}",
    rf"{_YEAR}[-_.]{_MONTH}",
    rf"{_YEAR}[-_.]?(?:[0-2]\d\d|3[0-6]\d)",
    rf"{_YEAR}{_MONTH}",
    rf"\d\d{_MONTH}{_DAY}",
    _YEAR,
)
_DATE = re.compile(rf"(?<!\d)(?:{'|'.join(_DATES)})(?!\d)")
_AFTER_DATE = re.compile(
    rf"[-_.T ]?(?:{_CLOCK}(?:[0-5]\d)?(?:\.\d+)?"
    r"|(?:[01]\d|2[0-3])[-_:][0-5]\d(?:[-_:][0-5]\d)?|(?<=T)(?:[01]\d|2[0-3]))(?!\d)"
)


def pattern(name: str) -> str:
    """Return a regular expression for names like this one: digits of dates and times may differ, nothing else."""
    result, position = "", 0
    while found := _DATE.search(name, position):
        result += re.escape(name[position : found.start()])
        end = found.end()
        if after := _AFTER_DATE.match(name, end):
            end = after.end()
        result += _digits(name[found.start() : end])
        position = end
    return f"(?:.*/)?{result}{re.escape(name[position:])}$".replace(r"\-", "-")


def _digits(text: str) -> str:
    """Replace each run of digits by its length: 2024-05-01 becomes \\d{4}-\\d{2}-\\d{2}."""
    parts = re.split(r"(\d+)", text)
    return "".join(rf"\d{{{len(part)}}}" if part.isdigit() else re.escape(part) for part in parts).replace(r"\-", "-")


def has_date(name: str) -> bool:
    """Whether a name has a date, so that the names of other files like it are known."""
    return bool(_DATE.search(name))
