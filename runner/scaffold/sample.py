"""A sample file as it was read, and how a pipeline reads files like it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

CSV_READER = "tsdat.io.readers.CSVReader"


@dataclass
class Reading:
    """How a pipeline reads the file: a reader of tsdat with parameters, or a call for a reader class of its own."""

    classname: str = ""
    """A reader of tsdat; empty if only `call` reads the file."""
    parameters: dict[str, Any] = field(default_factory=dict)
    call: str = ""
    """A pandas expression that returns the table; `input_key` is the file."""
    extension: str = ""
    """Of the file, without the dot."""
    member: str = ""
    """Pattern of the file's name in a zip archive; empty if it is not in one."""

    @property
    def csv_options(self) -> dict[str, Any]:
        """The arguments of `pandas.read_csv`."""
        options: dict[str, Any] = self.parameters.setdefault("read_csv_kwargs", {})
        return options


@dataclass
class Sample:
    """What is in a sample file."""

    path: Path
    table: pd.DataFrame
    """Columns as the pipeline's reader returns them."""
    reading: Reading
    units: dict[str, str] = field(default_factory=dict)
    """Units by column, from a row of units or from attributes."""
    titles: dict[str, str] = field(default_factory=dict)
    """Long names by column, from attributes or from a header."""
    facts: list[str] = field(default_factory=list)
    """What was found out, in words: the delimiter, the encoding."""
    dims: dict[str, list[str]] = field(default_factory=dict)
    """Dimensions by variable, where a file has more than one."""
    preamble: list[str] = field(default_factory=list)
    """The lines above the header."""
