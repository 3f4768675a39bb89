"""Reads the tide gauge's log files; README.md defines their format."""

import itertools
from datetime import datetime
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from tsdat import DataReader

NAME_FORMAT = "tide_%Y%d%m%H%M%S.log"  # the day comes before the month
FIRST_LINE = "TIDE GAUGE LOG 1"
HEADER_KEYS = ("station", "instrument", "datum", "columns")


class TideLogReader(DataReader):
    """Reads a log into variables over time, named as in its `columns` line, with its header as attributes."""

    def read(self, input_key: str) -> xr.Dataset:
        """Reads one log.

        Args:
            input_key: Path of a file named tide_YYYYDDMMhhmmss.log: its rows count their seconds from that time (UTC).

        Returns:
            float64 variables over "time" (datetime64[ns], in the file's order); the header's lines as attributes.

        Raises:
            ValueError: The name holds no time, or the file is torn; names the file and the line.
        """
        path = Path(input_key)
        start = start_time(path.name)
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
        header, first_row = _read_header(lines, path.name)
        columns = header.pop("columns").split()
        rows = _read_rows(lines, first_row, len(columns), path.name)
        if columns[0] != "offset_s":
            raise ValueError(f"{path.name}: the first column is '{columns[0]}', but has to be 'offset_s'.")
        if (back := np.flatnonzero(~(np.diff(rows[:, 0]) > 0))).size:
            raise ValueError(f"{path.name} line {first_row + back[0] + 2}: the time is not after the line before.")
        times = np.datetime64(start, "ns") + (rows[:, 0] * 1e9).astype("timedelta64[ns]")
        variables = {name: ("time", rows[:, i]) for i, name in enumerate(columns[1:], start=1)}
        return xr.Dataset(variables, {"time": times}, attrs=header)


def start_time(name: str) -> datetime:
    """Returns the time (UTC) in a log's name: 1 December 2020 for `tide_20200112000000.log`."""
    try:
        return datetime.strptime(name, NAME_FORMAT)
    except ValueError as error:
        raise ValueError(
            f"{name} is not named tide_YYYYDDMMhhmmss.log after the time of its start (UTC), the day before the month: "
            f"1 December 2020 is tide_20200112000000.log. ({error})"
        ) from error


def _read_header(lines: list[str], name: str) -> tuple[dict[str, str], int]:
    """Returns the header's `key: value` lines, and the index of the first row."""
    if not lines:
        raise ValueError(f"{name} is empty. Its transfer may have stopped early: send it again.")
    if lines[0].strip() != FIRST_LINE:
        raise ValueError(
            f"{name} does not begin with the line '{FIRST_LINE}' but with {lines[0][:40]!r}. Is it another gauge's "
            "file, or not plain text?"
        )
    header_lines = list(itertools.takewhile(lambda line: ":" in line, lines[1:]))
    parts = (line.partition(":") for line in header_lines)
    header = {key.strip(): value.strip() for key, _, value in parts}
    if missing := [key for key in HEADER_KEYS if not header.get(key)]:
        raise ValueError(f"{name} has no '{missing[0]}:' line in its header. It needs: {', '.join(HEADER_KEYS)}.")
    return header, len(header_lines) + 1


def _read_rows(lines: list[str], first_row: int, width: int, name: str) -> NDArray[np.float64]:
    """Returns the rows as (row, column), after checking their count against the `end` line."""
    rows: list[list[float]] = []
    for number, line in enumerate(lines[first_row:], start=first_row + 1):
        if line.startswith("end"):
            if line.split()[1:] != [str(len(rows))]:
                raise ValueError(f"{name} line {number} says '{line.strip()}', but {len(rows)} rows precede it.")
            break
        rows.append(_read_row(line, width, f"{name} line {number}"))
    else:
        raise ValueError(f"{name} stops after {len(rows)} rows without its 'end' line: it is torn. Send it again.")
    if not rows:
        raise ValueError(f"{name} has no rows.")
    return np.array(rows)


def _read_row(line: str, width: int, label: str) -> list[float]:
    texts = line.split()
    if len(texts) != width:
        raise ValueError(f"{label} has {len(texts)} values where the columns are {width}: '{line.strip()}'.")
    try:
        return [float(text) for text in texts]
    except ValueError as error:
        raise ValueError(f"{label} holds what is not a number: '{line.strip()}' ({error}).") from error
