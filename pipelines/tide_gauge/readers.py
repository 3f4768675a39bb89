"""Read the tide gauge's log files. README.md defines their format."""

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
    """Read a log into a dataset with the variables in its `columns` line and the header as attributes."""

    def read(self, input_key: str) -> xr.Dataset:
        """Return the dataset in one log.

        Args:
            input_key: Path of a file named tide_YYYYDDMMhhmmss.log. Its name has the start time (UTC), and the first
                value of each row is the number of seconds since then.

        Returns:
            float64 variables over "time" (datetime64[ns], strictly increasing), in the units of the columns. The
            header's `key: value` lines are attributes.

        Raises:
            ValueError: The name has no valid time, or the file breaks a rule of the format. The message names the file
                and, where possible, the line.
        """
        path = Path(input_key)
        start = start_time(path.name)
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
        header, first_row = _read_header(lines, path.name)
        columns = header.pop("columns").split()
        rows = _read_rows(lines, first_row, len(columns), path.name)
        if columns[0] != "offset_s":
            raise ValueError(f"{path.name}: the first column is '{columns[0]}', but must be 'offset_s'.")
        if (steps_back := np.flatnonzero(~(np.diff(rows[:, 0]) > 0))).size:
            line_number = first_row + steps_back[0] + 2
            raise ValueError(f"{path.name} line {line_number}: the time is not later than in the previous line.")
        times = np.datetime64(start, "ns") + (rows[:, 0] * 1e9).astype("timedelta64[ns]")
        variables = {name: ("time", rows[:, i]) for i, name in enumerate(columns[1:], start=1)}
        return xr.Dataset(variables, {"time": times}, attrs=header)


def start_time(name: str) -> datetime:
    """Return the time (UTC) in a log's name, for example 1 December 2020 for `tide_20200112000000.log`."""
    try:
        return datetime.strptime(name, NAME_FORMAT)
    except ValueError as error:
        raise ValueError(
            f"{name} is not named tide_YYYYDDMMhhmmss.log after its start time (UTC), with the day before the month: "
            f"a log that starts on 1 December 2020 is tide_20200112000000.log. ({error})"
        ) from error


def _read_header(lines: list[str], name: str) -> tuple[dict[str, str], int]:
    """Return the header's `key: value` lines and the index of the first data row in `lines`."""
    if not lines:
        raise ValueError(f"{name} is empty. Its transfer may have stopped early: send it again.")
    if lines[0].strip() != FIRST_LINE:
        raise ValueError(
            f"{name} does not begin with the line '{FIRST_LINE}' but with {lines[0][:40]!r}. Is it a file from "
            "another gauge, or not plain text?"
        )
    header_lines = list(itertools.takewhile(lambda line: ":" in line, lines[1:]))
    parts = (line.partition(":") for line in header_lines)
    header = {key.strip(): value.strip() for key, _, value in parts}
    if missing := [key for key in HEADER_KEYS if not header.get(key)]:
        raise ValueError(f"{name} has no '{missing[0]}:' line in its header. It needs: {', '.join(HEADER_KEYS)}.")
    return header, len(header_lines) + 1


def _read_rows(lines: list[str], first_row: int, width: int, name: str) -> NDArray[np.float64]:
    """Return the rows with the shape (row, column), after checking their number against the `end` line."""
    rows: list[list[float]] = []
    for number, line in enumerate(lines[first_row:], start=first_row + 1):
        if line.startswith("end"):
            if line.split()[1:] != [str(len(rows))]:
                raise ValueError(f"{name} line {number} is '{line.strip()}', but {len(rows)} rows precede it.")
            break
        rows.append(_read_row(line, width, f"{name} line {number}"))
    else:
        raise ValueError(f"{name} stops after {len(rows)} rows without an 'end' line: it is truncated. Send it again.")
    if not rows:
        raise ValueError(f"{name} has no rows.")
    return np.array(rows)


def _read_row(line: str, width: int, label: str) -> list[float]:
    texts = line.split()
    if len(texts) != width:
        raise ValueError(f"{label} has {len(texts)} values for {width} columns: '{line.strip()}'.")
    try:
        return [float(text) for text in texts]
    except ValueError as error:
        raise ValueError(f"{label} has a value that is not a number: '{line.strip()}' ({error}).") from error
