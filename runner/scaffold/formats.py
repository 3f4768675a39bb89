"""Reads samples that are not text: workbooks, NetCDF, Parquet, and zip archives of any of these."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from pathlib import Path
from typing import Any

from runner.errors import ScaffoldError
from runner.scaffold import cells, file_names, missing_values, text_table, unit_names
from runner.scaffold.sample import Reading, Sample

_OLD_EXCEL = bytes.fromhex("d0cf11e0")
_BESIDE = re.compile(r"__MACOSX|\.DS_Store|readme", re.IGNORECASE)
"""Files in archives that are no data."""
_LARGEST = 2_000_000_000


def read(path: Path, sheet: str | None = None) -> Sample:
    """Return the sample in a file.

    Raises:
        ScaffoldError: the file cannot be read, or has no table.
    """
    if not path.is_file():
        raise ScaffoldError(f"{path} is not a file. Name a file that the instrument wrote: --from FILE.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ScaffoldError(f"{path} cannot be read: {error.strerror}. Correct its permissions, or copy it.") from error
    try:
        return _sample(path, content, sheet)
    except ScaffoldError as error:
        raise ScaffoldError(f"{path}: {error}") from error


def _sample(path: Path, content: bytes, sheet: str | None) -> Sample:
    if not content.strip(b"\0 \t\r\n\xef\xbb\xbf\xff\xfe"):
        raise ScaffoldError("It is empty. Use a file with some rows of data.")
    if content.startswith(b"PK\x03\x04"):
        with _archive(content) as archive:
            names = archive.namelist()
        return _workbook(path, content, sheet) if "xl/workbook.xml" in names else _zipped(path, content, sheet)
    if content.startswith((b"\x89HDF\r\n\x1a\n", b"CDF\x01", b"CDF\x02", b"CDF\x05")):
        return _netcdf(path)
    if content.startswith(b"PAR1"):
        return _parquet(path, content)
    if content.startswith(_OLD_EXCEL):
        raise ScaffoldError("It is a workbook of an old Excel. Save it as .xlsx or as CSV.")
    if content.startswith(b"\x1f\x8b"):
        return _gzipped(path, content)
    return _with_extension(text_table.read(path, content), path.name)


def _archive(content: bytes) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BytesIO(content))
    except zipfile.BadZipFile as error:
        raise ScaffoldError(f"It is a broken zip archive ({error}). Copy it again.") from error


def _with_extension(sample: Sample, name: str) -> Sample:
    sample.reading.extension = Path(name).suffix.lstrip(".") or sample.reading.extension
    return sample


def _gzipped(path: Path, content: bytes) -> Sample:
    try:
        sample = text_table.read(path, gzip.decompress(content))
    except (OSError, EOFError) as error:
        raise ScaffoldError(f"It is a broken gzip file ({error}). Copy it again.") from error
    if path.suffix != ".gz" or not sample.reading.classname:
        raise ScaffoldError("It is compressed with gzip. Unpack it first, or put it into a zip archive.")
    sample.facts.append("compressed with gzip")
    return _with_extension(sample, path.name)


def _zipped(path: Path, content: bytes, sheet: str | None) -> Sample:
    with _archive(content) as archive:
        members = [
            info for info in archive.infolist()
            if not info.is_dir() and info.file_size and not _BESIDE.search(info.filename)
        ]  # fmt: skip
        if not members:
            raise ScaffoldError("It is a zip archive without files. Use one with data.")
        largest = max(members, key=lambda info: info.file_size)
        if any(info.flag_bits & 1 for info in members):
            raise ScaffoldError("It is a zip archive with a password. Save it without one.")
        if largest.file_size > _LARGEST:
            raise ScaffoldError(f"{largest.filename} in it is larger than 2 GB. Use a smaller sample.")
        inner = archive.read(largest)
    if inner.startswith((b"\x89HDF", b"CDF")):
        raise ScaffoldError(f"{largest.filename} in it is NetCDF, which tsdat reads from files only. Unpack it first.")
    sample = _sample(Path(largest.filename), inner, sheet)
    sample.path = path
    sample.reading.member = file_names.pattern(Path(largest.filename).name)
    matching = [info.filename for info in members if re.match(sample.reading.member, info.filename)]
    others = len(members) - len(matching)
    sample.facts.insert(
        0, f"zip archive; {largest.filename} was looked at" + (f", {others} others are not read" if others else "")
    )  # noqa: E501
    return sample


def _workbook(path: Path, content: bytes, sheet: str | None) -> Sample:
    import pandas as pd

    try:
        sheets = pd.read_excel(io.BytesIO(content), sheet_name=None, header=None)
    except Exception as error:  # openpyxl raises whatever its parts raise
        raise ScaffoldError(f"Its workbook cannot be read: {error}. Save it again as .xlsx, or as CSV.") from error
    if sheet and sheet not in sheets:
        raise ScaffoldError(f"It has no sheet {sheet!r}, but {', '.join(map(repr, sheets))}. Correct --sheet.")
    name = sheet or max(sheets, key=lambda one: sheets[one].size)
    raw = sheets[name]
    header, units = _workbook_header(raw)
    skipped = [*range(header), *range(header + 1, header + 1 + bool(units))]
    options: dict[str, Any] = {"sheet_name": name, **({"skiprows": skipped} if skipped else {})}
    table = pd.read_excel(io.BytesIO(content), **options).dropna(how="all").dropna(axis="columns", how="all")
    if table.empty:
        raise ScaffoldError(f"Its sheet {name!r} has no rows of data. Choose another: --sheet.")
    options |= missing_values.options(table)
    table = pd.read_excel(io.BytesIO(content), **options).dropna(how="all")
    words = ", ".join(f"{key}={value!r}" for key, value in options.items())
    reading = Reading(call=f'pd.read_excel(input_key, {words}).dropna(how="all")', extension="xlsx")
    facts = [f"workbook, sheet {name!r}"] + (["a row of units"] if units else [])
    table.columns = table.columns.map(str)
    unit_of = {str(c): u for c, u in zip(table.columns, units, strict=False) if u}
    return Sample(path, table, reading, unit_of, facts=facts, preamble=[_line(raw.iloc[i]) for i in range(header)])


def _line(row: Any) -> str:
    return ",".join(str(cell) for cell in row if str(cell) != "nan")


def _workbook_header(raw: Any) -> tuple[int, list[str]]:
    """Return the row with the names, and the units below it, if there are any."""
    rows = [["" if str(cell) == "nan" else cell for cell in raw.iloc[i]] for i in range(min(len(raw), 60))]
    first = next((i for i, row in enumerate(rows) if _is_data(row)), None)
    if not first:
        raise ScaffoldError("Its sheet has no header above rows of numbers. Add one, or choose another with --sheet.")
    above = [str(cell) for cell in rows[first - 1]]
    filled = [cell for cell in above if cell]
    if first > 1 and filled and sum(unit_names.is_known(cell) for cell in filled) * 2 > len(filled):
        return first - 2, above
    return first - 1, []


def _is_data(row: list[Any]) -> bool:
    filled = [cell for cell in row if cell != ""]
    values = [cell for cell in filled if not isinstance(cell, str) or cells.is_value(cell)]
    return len(filled) > 1 and len(values) * 2 >= len(filled)


def _netcdf(path: Path) -> Sample:
    import xarray as xr

    try:
        with xr.open_dataset(path) as opened:
            dataset = opened.load()
    except Exception as error:  # whatever the library for the format raises
        raise ScaffoldError(f"Its NetCDF cannot be read: {error}. Copy it again.") from error
    times = [str(n) for n, v in dataset.variables.items() if v.dtype.kind == "M" and v.ndim == 1]
    if not times:
        raise ScaffoldError("It has no variable of times with units such as 'seconds since 1970-01-01'. Add them.")
    dim = str(dataset[times[0]].dims[0])
    along = [n for n, v in dataset.variables.items() if v.dims == (dim,)]
    table = dataset[along].reset_coords().to_dataframe().reset_index()
    table = table.drop(columns=[dim], errors="ignore") if dim not in along else table
    reading = Reading("tsdat.io.readers.NetCDFReader", extension=path.suffix.lstrip(".") or "nc")
    sample = Sample(path, table, reading, facts=[f"NetCDF, {len(dataset.data_vars)} variables"])
    for name, variable in dataset.variables.items():
        sample.units[str(name)] = str(variable.attrs.get("units", ""))
        sample.titles[str(name)] = str(variable.attrs.get("long_name", ""))
    others = [str(name) for name, v in dataset.variables.items() if v.ndim > 1]
    if others:
        sample.facts.append(f"not read, because they have more dimensions than time: {', '.join(others)}")
    return sample


def _parquet(path: Path, content: bytes) -> Sample:
    import pandas as pd

    try:
        table = pd.read_parquet(io.BytesIO(content))
    except ImportError as error:
        raise ScaffoldError("Reading Parquet needs a package. Add it: runner add pyarrow.") from error
    except Exception as error:  # pyarrow's errors have no common base
        raise ScaffoldError(f"Its Parquet cannot be read: {error}. Copy it again.") from error
    reading = Reading("tsdat.io.readers.ParquetReader", extension="parquet")
    if table.index.name:
        table = table.reset_index()
        reading = Reading(call="pd.read_parquet(input_key).reset_index()", extension="parquet")
    table.columns = table.columns.map(str)
    return Sample(path, table, reading, facts=["Parquet"])
