"""Markers of missing values, such as -9999, NAN and 99.9."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.scaffold import cells

if TYPE_CHECKING:
    import pandas as pd

_NEGATIVE = (-9999.99, -9999.9, -9999, -9999.0, -999.9, -999.99, -999, -99.99, -99.9, -99, -7999, -32768, -99999, -888.8, -6999)  # fmt: skip  # noqa: E501
_NINES = (9.99, 99.0, 99.9, 99.99, 999.0, 999.9, 999.99, 9999.0, 9999.9, 99999.0, 7999.0, 1e20, 1e35)
_GAP = 1.5
"""How many times greater than all others a value of nines is, to be a marker."""


def options(table: pd.DataFrame) -> dict[str, Any]:
    """Return the option `na_values` of pandas for a table as first read; empty if it needs none."""
    everywhere: list[Any] = []
    by_column: dict[str, list[Any]] = {}
    for name in table.columns:
        values, texts = _numbers(table[name])
        everywhere += [text for text in texts if text not in everywhere]
        if values is not None:
            everywhere += [mark for mark in _negative(values) if mark not in everywhere]
            if nines := _nines(values):
                by_column[str(name)] = nines
    if by_column:  # pandas takes either a list or one for each column
        return {"na_values": {str(c): everywhere + by_column.get(str(c), []) for c in table.columns
                              if str(c) in by_column or _has(table[c], everywhere)}}  # fmt: skip
    return {"na_values": everywhere} if everywhere else {}


def _numbers(column: pd.Series[Any]) -> tuple[pd.Series[Any] | None, list[str]]:
    """Return the numbers of a column, and the texts between them that mark missing values."""
    import pandas as pd

    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return None, []
    if pd.api.types.is_numeric_dtype(column):
        return column.dropna(), []
    numbers = pd.to_numeric(column, errors="coerce")
    texts = sorted({str(text).strip() for text in column[numbers.isna() & column.notna()]})
    if numbers.notna().any() and (len(texts) <= 3 or numbers.notna().mean() > 0.9):
        return numbers.dropna(), texts
    if texts and all(text in cells.MISSING for text in texts):
        return None, texts
    return None, []


def _negative(values: pd.Series[Any]) -> list[float | int]:
    low = values.min() if len(values) else 0
    found = [mark for mark in dict.fromkeys(_NEGATIVE) if low <= mark and (values == mark).any()]
    others = values[~values.isin(found)]
    # Where other values are as low, it is a value like them.
    return [
        mark for mark in found if others.empty or mark * _GAP < others.min() or mark < -6000 and others.min() > mark
    ]


def _nines(values: pd.Series[Any]) -> list[float]:
    found = [mark for mark in _NINES if (values == mark).any()]
    others = values[~values.isin(found)]
    if others.empty:
        return found if len(values) > 1 and values.nunique() == 1 else []
    return [mark for mark in found if mark > _GAP * abs(others.max()) and mark > others.max() + 3]


def _has(column: pd.Series[Any], marks: list[Any]) -> bool:
    return bool(column.isin(marks).any() or column.astype(str).str.strip().isin([str(mark) for mark in marks]).any())
