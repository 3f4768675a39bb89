"""What a cell of a text table looks like: a number, a time, or a marker of a missing value."""

from __future__ import annotations

import re

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?")
COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
# A date, a time of day, or both.
TIME = re.compile(
    r"(?:\d{1,4}[-/.]\d{1,2}[-/.]\d{2,4}|\d{1,2}[- ]?[A-Za-z]{3}[- ]?\d{2,4}|\d{4}-\d{3})(?:[T ,]+\d{1,2}:\d{2}.*)?"
    r"|\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?[AaPp]\.?[Mm]\.?)?"
)
# pandas knows the others: NaN, nan, NA, N/A, null, None and the empty cell.
MISSING = ("NAN", "Nan", "INF", "-INF", "MM", "M", "---", "--", "-", "----", "/", "//", "///", "////", "*", "**", "***", "****", "x", "ERR", "Error", "No Data", "missing", "Missing", "na", "NULL", "Null", "none", "None", "bad", "?")  # fmt: skip  # noqa: E501
_KNOWN = {"", "nan", "na", "n/a", "null", "none", "#n/a", "<na>", *(text.lower() for text in MISSING)}


def is_number(text: str) -> bool:
    """Whether a cell is a number, with a decimal point or comma."""
    return bool(NUMBER.fullmatch(text) or COMMA_NUMBER.fullmatch(text))


def is_data(text: str) -> bool:
    """Whether a cell is a number, a time or a missing value, and so not the name of a column."""
    return text.lower() in _KNOWN or is_number(text) or bool(TIME.fullmatch(text))


def is_value(text: str) -> bool:
    """Whether a cell is a number or a time."""
    return is_number(text) or bool(TIME.fullmatch(text))
