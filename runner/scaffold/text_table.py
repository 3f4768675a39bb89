"""Reads tables from text: CSV, tab-separated values, fixed columns, and JSON."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

from runner.errors import ScaffoldError
from runner.scaffold import encodings, missing_values, text_layout
from runner.scaffold.sample import CSV_READER, Reading, Sample

_FEW_LINES = 12
"""Header lines that a reader's options name one by one."""


def read(path: Path, content: bytes) -> Sample:
    """Return a sample of a text file.

    Raises:
        ScaffoldError: it is not text, or has no table.
    """
    encoding = encodings.find(content)
    if encoding is None:
        raise ScaffoldError(
            "It is a binary file of an unknown format. Known are CSV and other text tables, xlsx, JSON, NetCDF, "
            "Parquet and zip archives of these."
        )
    text = content.decode(encoding)
    if text.lstrip()[:1] in ("{", "[") and (sample := _json(path, text, encoding)):
        return sample
    layout = text_layout.find(text)
    reading = Reading(CSV_READER if not layout.ragged and not layout.end_mark else "", extension="csv")
    options = reading.csv_options
    options.update(_options(layout, encoding, text))
    if layout.ragged:
        options = _fixed_options(layout, text, options)
    table = _read(content, layout, options, encoding)
    options.update(missing_values.options(table))
    table = _read(content, layout, options, encoding)
    if not reading.classname:
        reading.call = call_of(layout, options)
        reading.parameters = {}
    lines = text.splitlines()
    preamble = lines[: layout.data_line if layout.header_line is None else layout.header_line]
    columns = [str(name) for name in table.columns]
    sample = Sample(path, table, reading, facts=_facts(layout, encoding), preamble=preamble)
    sample.units = {c: u for c, u in zip(columns, layout.units, strict=False) if u}
    sample.titles = {c: t for c, t in zip(columns, layout.titles, strict=False) if t}
    return sample


def _options(layout: text_layout.Layout, encoding: str, text: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if layout.delimiter != ",":
        options["sep"] = layout.delimiter
    if encoding != "utf-8":
        options["encoding"] = encoding
    if layout.decimal_comma:
        options["decimal"] = ","
    if layout.delimiter == "," and re.search(r', +"|, +[^ ]', text):
        options["skipinitialspace"] = True
    header = layout.header_line
    skipped = [*range(header or 0), *layout.skipped_after_header] if header is not None else []
    if header is not None and (len(skipped) <= _FEW_LINES or not layout.skipped_after_header):
        if skipped:
            options["skiprows"] = skipped if layout.skipped_after_header else header
    else:
        options |= {"header": None, "names": _unique(layout.names)}
        if layout.data_line:
            options["skiprows"] = layout.data_line
    if layout.has_trailing_delimiter:
        options["index_col"] = False
    if layout.footer_lines:
        options |= {"skipfooter": layout.footer_lines, "engine": "python"}
    return options


def _unique(names: list[str]) -> list[str]:
    """Number repeated names as pandas does: Temp, Temp.1; name empty ones by their position."""
    found: list[str] = []
    for i, name in enumerate(names):
        name = name or f"column_{i + 1}"
        count = sum(bool(re.fullmatch(re.escape(name) + r"(\.\d+)?", other)) for other in found)
        found.append(f"{name}.{count}" if count else name)
    return found


def _fixed_options(layout: text_layout.Layout, text: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of `pandas.read_fwf`, with the positions of the columns in all rows."""
    lines = text.splitlines()
    rows = [line for line in lines[layout.data_line : len(lines) - layout.footer_lines] if line.strip()]
    width = max(map(len, rows))
    used = [any(i < len(row) and row[i] != " " for row in rows) for i in range(width)]
    edges = [i for i in range(width + 1) if (i < width and used[i]) != (i > 0 and used[i - 1])]
    spans = list(zip(edges[::2], edges[1::2], strict=True))
    starts = [0, *(end for _, end in spans[:-1])]  # a longer value extends to the left
    spans = [(start, end) for start, (_, end) in zip(starts, spans, strict=True)]
    if layout.units_line:
        layout.units = [lines[layout.units_line][start:end].strip() for start, end in spans]
    names = layout.names if len(layout.names) == len(spans) else [f"column_{i + 1}" for i in range(len(spans))]
    kept = {key: value for key, value in options.items() if key in ("encoding", "decimal")}
    options.clear()
    options |= {"colspecs": spans, "header": None, "names": _unique(names), "skiprows": layout.data_line, **kept}
    if layout.footer_lines:
        options["skipfooter"] = layout.footer_lines
    return options


def _read(content: bytes, layout: text_layout.Layout, options: dict[str, Any], encoding: str) -> Any:
    import pandas as pd

    source = io.BytesIO(content)
    try:
        if layout.ragged:
            return pd.read_fwf(source, **options)
        return pd.read_csv(source, **options)
    except (ValueError, IndexError) as error:  # pandas' parser errors are ValueErrors
        raise ScaffoldError(f"Its table cannot be read: {' '.join(str(error).split())}.") from error


def call_of(layout: text_layout.Layout, options: dict[str, Any]) -> str:
    """Return the call with which a reader class reads the file."""
    if layout.end_mark:
        options = {name: value for name, value in options.items() if name != "skiprows"}
        options["skiprows"] = "lines_to(input_key)"
    words = [f"{name}={value if name == 'skiprows' else repr(value)}" for name, value in options.items()]
    function = "read_fwf" if layout.ragged else "read_csv"
    return f"pd.{function}({', '.join(['input_key', *words])})"


def _facts(layout: text_layout.Layout, encoding: str) -> list[str]:
    facts = [f"text, {encoding}, columns separated by {layout.delimiter_name}"]
    if layout.ragged:
        facts = [f"text, {encoding}, columns at fixed positions"]
    if layout.decimal_comma:
        facts.append("decimal comma")
    if layout.data_line > 1:
        facts.append(f"{layout.data_line} lines above the data")
    if layout.units:
        facts.append("a row of units")
    if layout.footer_lines:
        facts.append(f"{layout.footer_lines} lines below the data")
    return facts


def _json(path: Path, text: str, encoding: str) -> Sample | None:
    """Return the sample of JSON records, columns or lines; None if the text is not JSON."""
    import pandas as pd

    try:
        value = json.loads(text)
    except ValueError:
        try:
            value = [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError:
            return None
        call, shape = "pd.read_json(input_key, lines=True, dtype=False)", "lines"
    else:
        call, shape = "pd.read_json(input_key, dtype=False)", "records"
    if isinstance(value, dict):
        shape = "columns"
        inner = next((name for name, item in value.items() if isinstance(item, list) and _has_records(item)), None)
        if inner is not None:
            call = f"pd.DataFrame(pd.read_json(input_key, typ='series', dtype=False)[{inner!r}])"
            value, shape = value[inner], f"records below {inner!r}"
    try:
        table = pd.DataFrame(value)
    except ValueError as error:
        raise ScaffoldError(
            f"Its JSON is no table: {error}. Known are records, columns, and a record in each line."
        ) from error
    if table.empty:
        raise ScaffoldError("Its JSON has no records. Use a file with some.")
    return Sample(path, table, Reading(call=call, extension="json"), facts=[f"JSON, {shape}, {encoding}"])


def _has_records(item: list[Any]) -> bool:
    return bool(item) and isinstance(item[0], dict)
