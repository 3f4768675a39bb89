"""The layout of a table in a text file: delimiter, header lines, units rows, decimal comma, footer."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from runner.errors import ScaffoldError
from runner.scaffold import cells, unit_names

WHITESPACE = r"\s+"
_DELIMITERS = ("\t", ";", "|", ",", WHITESPACE)
_NAMES = {"\t": "tab", ";": "semicolon", "|": "bar", ",": "comma", WHITESPACE: "spaces"}
_COMMENT = re.compile(r"\s*(?:#+|%+|//|!+|\*+)\s*")
_LOOKED_AT = 400
# Columns of Sea-Bird's converted files: "# name 2 = tv290C: Temperature [ITS-90, deg C]".
_SEABIRD_NAME = re.compile(r"#\s*name\s+(\d+)\s*=\s*([^:]+?)(?::\s*(.*))?\s*")


@dataclass
class Layout:
    """Where the table is in the lines of a text file. Line numbers start at 0."""

    delimiter: str
    names: list[str]
    data_line: int
    """The first line of data."""
    header_line: int | None = None
    """The line with the names; None if there is none that pandas can read."""
    units: list[str] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    skipped_after_header: list[int] = field(default_factory=list)
    """Lines between the header and the data, such as a row of units."""
    footer_lines: int = 0
    decimal_comma: bool = False
    has_trailing_delimiter: bool = False
    units_line: int = 0
    """The row of units above columns at fixed positions."""
    end_mark: str = ""
    """A line after which the data begin, where the header differs in length from file to file."""
    ragged: bool = False
    """The rows have different numbers of words: the columns have fixed positions."""

    @property
    def delimiter_name(self) -> str:
        """The delimiter in words."""
        return "fixed columns" if self.ragged else _NAMES[self.delimiter]


def find(text: str) -> Layout:
    """Return the layout of the text.

    Raises:
        ScaffoldError: there is no table in it.
    """
    lines = text.splitlines()
    filled = [line for line in lines if line.strip()]
    candidates = [(_score(_sampled(filled), delimiter), delimiter) for delimiter in _DELIMITERS]
    score, delimiter = max(candidates, key=lambda candidate: candidate[0])
    if score <= 0:
        raise ScaffoldError(
            "It has no table: no delimiter (tab, semicolon, bar, comma, spaces) splits its lines into the same number "
            "of columns with numbers. Save the table as CSV first."
        )
    return _layout(lines, delimiter)


def _sampled(lines: list[str]) -> list[str]:
    """Return lines from the middle to the end of the beginning of a file, where the data are."""
    head = lines[:_LOOKED_AT]
    return head[len(head) // 3 :] or head


def split(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line, without quotes and surrounding spaces."""
    if delimiter == WHITESPACE:
        return line.split()
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])]


def _score(lines: Sequence[str], delimiter: str) -> float:
    """Return how well a delimiter splits lines into columns of values; 0 if it does not."""
    rows = [split(line, delimiter) for line in lines]
    width = Counter(len(row) for row in rows).most_common(1)[0][0] if rows else 0
    if width < 2:
        return 0
    fitting = [row for row in rows if len(row) == width]
    values = sum(cells.is_data(cell) for row in fitting for cell in row) / (width * len(fitting))
    if not any(cells.is_value(cell) for row in fitting for cell in row):
        return 0
    # A decimal comma makes commas look like delimiters, so others come first where both fit.
    return len(fitting) / len(rows) * values + (0.1 if delimiter in "\t;|" else 0)


def _layout(lines: list[str], delimiter: str) -> Layout:
    rows = [split(line, delimiter) if line.strip() else [] for line in lines]
    tail = [len(row) for line, row in zip(lines, rows, strict=True) if row and not _COMMENT.match(line)]
    width = Counter(tail[len(tail) // 3 :][:_LOOKED_AT] or tail).most_common(1)[0][0]
    data_line = next((i for i, row in enumerate(rows) if _is_data(row, width, lines[i])), None)
    if data_line is None:
        raise ScaffoldError("It has a header but no row of data. Use a file with some rows.")
    data = [row for row in rows[data_line:] if len(row) == width]
    layout = Layout(delimiter, [], data_line)
    layout.has_trailing_delimiter = width > 2 and all(row[-1] == "" for row in data)
    layout.decimal_comma = _has_decimal_comma(data, delimiter)
    layout.footer_lines = _footer(rows, width)
    body = [row for row in rows[data_line : len(rows) - layout.footer_lines] if row]
    layout.ragged = delimiter == WHITESPACE and any(len(row) != width for row in body)
    _find_names(layout, lines, rows, width)
    return layout


def _is_data(row: list[str], width: int, line: str) -> bool:
    if len(row) != width or _COMMENT.match(line):
        return False
    known = sum(cells.is_data(cell) for cell in row)
    return any(cells.is_value(cell) for cell in row) and (known * 2 >= width or cells.is_value(row[0]))


def _has_decimal_comma(data: list[list[str]], delimiter: str) -> bool:
    flat = [cell for row in data[:_LOOKED_AT] for cell in row]
    commas = sum(bool(cells.COMMA_NUMBER.fullmatch(cell)) for cell in flat)
    points = sum("." in cell and bool(cells.NUMBER.fullmatch(cell)) for cell in flat)
    return delimiter != "," and commas > points


def _footer(rows: list[list[str]], width: int) -> int:
    """Return how many lines at the end are no data."""
    count = 0
    for row in reversed(rows):
        if len(row) == width and any(cells.is_value(cell) for cell in row):
            break
        count += 1
    has_text = any(rows[len(rows) - count :]) if count else False
    return count if has_text and count <= 20 else 0


def _find_names(layout: Layout, lines: list[str], rows: list[list[str]], width: int) -> None:
    if _find_seabird_names(layout, lines):
        return
    first = layout.data_line
    above = [i for i in range(first) if lines[i].strip()]
    if lines[0].lstrip('"').startswith("TOA5") and first >= 4:  # Campbell: file, names, units, kinds of samples
        candidates = above[1:]
    else:
        candidates = []
        for i in reversed(above[-4:]):
            if layout.ragged and not layout.units_line and i == first - 1 and _is_units(_words(lines[i], layout)):
                layout.units_line = i  # some columns have no units
                continue
            if _width(lines[i], layout) not in (width, width - layout.has_trailing_delimiter):
                break
            candidates.insert(0, i)
    while len(candidates) > 2 and not any(_is_units(_words(lines[i], layout)) for i in candidates[1:]):
        candidates.pop(0)  # key: value lines that happen to have as many cells
    units = [i for i in candidates[1:] if _is_units(_words(lines[i], layout))]
    if candidates and len(candidates) == 2 and not units:
        candidates = candidates[1:]
    if not candidates:
        layout.names = [f"column_{i + 1}" for i in range(width)]
        return
    header = candidates[candidates.index(units[0]) - 1] if units else candidates[0]
    layout.names = _words(lines[header], layout)
    layout.units = _words(lines[units[0]], layout) if units else []
    layout.skipped_after_header = [i for i in range(header + 1, first) if lines[i].strip()]
    if layout.has_trailing_delimiter and len(layout.names) == width and not layout.names[-1]:
        layout.names.pop()
    layout.header_line = header if len(rows[header]) == len(layout.names) and layout.names == rows[header] else None


def _words(line: str, layout: Layout) -> list[str]:
    """Return the cells of a header line; a mark of a comment before them is no part of them."""
    words = split(line, layout.delimiter)
    if words and _COMMENT.fullmatch(words[0] + " ") and layout.delimiter == WHITESPACE:
        return words[1:]
    return words


def _width(line: str, layout: Layout) -> int:
    return len(_words(line, layout))


def _is_units(words: list[str]) -> bool:
    filled = [word.strip("#%[]() ") for word in words if word.strip("#%[]() \"'") or "%" in word]
    known = sum(unit_names.is_known(word) for word in filled)
    return bool(filled) and known * 2 >= len(filled)


def _find_seabird_names(layout: Layout, lines: list[str]) -> bool:
    """Read the names from the header of a Sea-Bird file, if it is one."""
    found = [match for line in lines[: layout.data_line] if (match := _SEABIRD_NAME.fullmatch(line))]
    if not found:
        return False
    layout.names = [match[2].strip() for match in found]
    layout.titles = [re.sub(r"\s*\[.*", "", match[3] or "") for match in found]
    layout.units = [(re.search(r"\[(?:.*,\s*)?([^\],]+)\]", match[3] or "") or ["", ""])[1].strip() for match in found]
    layout.end_mark = "*END*" if any(line.startswith("*END*") for line in lines) else ""
    return True
