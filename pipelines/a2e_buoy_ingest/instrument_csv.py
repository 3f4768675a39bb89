"""Parse the CSV file of one instrument, including the depth bins of the current profiler."""

import io
import re

import numpy as np
import pandas as pd
import xarray as xr

TIME_COLUMN = "DataTimeStamp"
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
BIN_COLUMN = re.compile(r"(?:Vel|Dir)(\d+) \(")
SPACING_COLUMN = "BinSpacing"


def read_csv(content: bytes, label: str) -> xr.Dataset:
    """Return the dataset in one instrument's CSV.

    Args:
        content: The file's bytes: UTF-8 text with a header line, then one line per time (UTC), formatted as
            2020-12-01 00:10:00.
        label: The file's name in error messages.

    Returns:
        Variables over "time" (datetime64[ns], strictly increasing), named after the columns and in their units. The
        profiler's columns `Vel<n> (mm/s)` and `Dir<n> (deg)` become "Vel (mm/s)" and "Dir (deg)" with the shape
        (time, depth). "depth" is in meters.

    Raises:
        ValueError: The file has no rows, a truncated line, an invalid time, two different lines for one time, or text
            in a numeric column.
    """
    _check_text(content, label)
    try:
        frame = pd.read_csv(io.BytesIO(content))
    except ValueError as error:  # pandas' own errors are ValueErrors
        reason = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise ValueError(f"{label} is not a CSV file: {reason}. Send it again, or correct it.") from error
    frame = _in_time_order(_with_times(frame, label), label)
    for name, dtype in frame.dtypes.items():
        if not pd.api.types.is_numeric_dtype(dtype):
            raise ValueError(_text_in_numbers(frame[name], label))
    if any(BIN_COLUMN.match(name) for name in frame.columns):
        return _profile(frame, label)
    return xr.Dataset({name: ("time", frame[name].to_numpy()) for name in frame}, {"time": frame.index})


def _check_text(content: bytes, label: str) -> None:
    """Raise for damage that pandas would not detect, or would read as missing values."""
    if not content.strip():
        raise ValueError(
            f"{label} is empty ({len(content)} bytes). Its transfer may have stopped early: send it again."
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{label} is not UTF-8 text: line {line} contains the byte 0x{content[error.start]:02x}. A spreadsheet may "
            "have saved it in another encoding: save it as 'CSV UTF-8', or send the instrument's original file."
        ) from error
    if "\0" in text:
        raise ValueError(f"{label} is not text: it contains NUL bytes. Its transfer may have failed: send it again.")
    header, *lines = text.splitlines()
    if lines and not text.endswith("\n") and lines[-1].count(",") < header.count(","):
        raise ValueError(
            f"{label} stops in the middle of line {len(lines) + 1}, after {lines[-1]!r}. "
            "Its transfer may have stopped early: send it again."
        )


def _with_times(frame: pd.DataFrame, label: str) -> pd.DataFrame:
    """Return the rows indexed by their time."""
    if TIME_COLUMN not in frame:
        raise ValueError(f"{label} has no column '{TIME_COLUMN}'. It has: {', '.join(map(str, frame.columns))}.")
    if frame.empty:
        raise ValueError(f"{label} has a header but no rows. Leave it out, or send the complete file.")
    times = frame.pop(TIME_COLUMN)
    try:
        parsed = pd.to_datetime(times, format=TIME_FORMAT)
    except ValueError as error:
        raise ValueError(
            f"{label} has a '{TIME_COLUMN}' not formatted as 2020-12-01 00:10:00: {str(error).partition('. You')[0]}."
        ) from error
    if parsed.isna().any():
        raise ValueError(f"{label} has no '{TIME_COLUMN}' in line {int(parsed.isna().argmax()) + 2}.")
    frame.index = pd.DatetimeIndex(parsed, dtype="datetime64[ns]", name="time")
    return frame


def _in_time_order(frame: pd.DataFrame, label: str) -> pd.DataFrame:
    """Sort by time and drop repeated lines, because a logger that reconnects sends some lines again."""
    if frame.index.is_monotonic_increasing and frame.index.is_unique:
        return frame
    frame = frame.reset_index().drop_duplicates().set_index("time").sort_index()
    if not frame.index.is_unique:
        time = frame.index[frame.index.duplicated()][0]
        raise ValueError(f"{label} has two different lines for {time}. Remove the wrong one.")
    return frame


def _text_in_numbers(column: pd.Series, label: str) -> str:
    text = column[pd.to_numeric(column, errors="coerce").isna() & column.notna()]
    return f"{label} has {text.iloc[0]!r} in column '{column.name}' at {text.index[0]}: the values must be numbers."


def _profile(frame: pd.DataFrame, label: str) -> xr.Dataset:
    """Combine the columns of each bin into (time, depth) variables, and keep the other columns as they are."""
    bins = {int(match[1]) for name in frame.columns if (match := BIN_COLUMN.match(name))}
    wanted = {
        f"{kind} ({unit})": [f"{kind}{n} ({unit})" for n in range(1, max(bins) + 1)]
        for kind, unit in (("Vel", "mm/s"), ("Dir", "deg"))
    }
    columns = [name for names in wanted.values() for name in names]
    if missing := [name for name in [SPACING_COLUMN, *columns] if name not in frame]:
        raise ValueError(f"{label} has no column {', '.join(map(repr, missing))}: each bin needs both Vel and Dir.")
    spacing = frame[SPACING_COLUMN].dropna().unique()
    if len(spacing) != 1 or spacing[0] <= 0:
        raise ValueError(
            f"{label} needs one {SPACING_COLUMN} above 0 m; it has {list(spacing)}. Split the file where it changes."
        )
    variables = {name: (("time", "depth"), frame[names].to_numpy()) for name, names in wanted.items()}
    variables |= {name: ("time", frame[name].to_numpy()) for name in frame.columns if name not in columns}
    return xr.Dataset(variables, {"time": frame.index, "depth": spacing[0] * np.arange(1, max(bins) + 1)})
