"""Read the buoy's CSV files: a single file, or a day's ten files in a zip or tar archive."""

import logging
from pathlib import Path

import xarray as xr
from pydantic import BaseModel, ConfigDict
from tsdat import DataReader

from .archives import read_members
from .instrument_csv import read_csv

logger = logging.getLogger(__name__)


class BuoyReader(DataReader):
    """Read each CSV into a separate dataset with its own times.

    Some instruments use the same column names (gill and wind, conductivity and surfacetemp), so the retriever config
    selects a variable by the name of the CSV and its column. The current profiler has a pair of columns per depth bin;
    they become (time, depth) variables.
    """

    class Parameters(BaseModel):
        """Parameters set in the retriever config."""

        model_config = ConfigDict(extra="forbid")
        instruments: list[str]
        """Instruments whose files to read, named `<anything>.<instrument>.csv`."""

    parameters: Parameters

    def read(self, input_key: str) -> dict[str, xr.Dataset]:
        """Return the datasets in an archive or in a single CSV.

        Args:
            input_key: Path of a .zip, .tar, .tar.gz or .csv file.

        Returns:
            A dataset for each CSV, keyed by `<input_key>/<member>`, or by `input_key` for a single CSV.

        Raises:
            ValueError: The input cannot be read, has no file of a known instrument, or has an invalid CSV file.
        """
        path = Path(input_key)
        members = read_members(path, self._is_wanted)
        if not members:
            known = ", ".join(f"*.{instrument}.csv" for instrument in self.parameters.instruments)
            raise ValueError(f"{path.name} has no file of a known instrument. The known names are: {known}.")
        if absent := set(self.parameters.instruments) - {_instrument(name) for name in members}:
            logger.info("%s has no %s: their variables will be missing", path.name, ", ".join(sorted(absent)))
        if path.name in members:  # a single CSV
            return {input_key: read_csv(members[path.name], path.name)}
        return {f"{input_key}/{name}": read_csv(content, f"{path.name}: {name}") for name, content in members.items()}

    def _is_wanted(self, name: str) -> bool:
        return _instrument(name) in self.parameters.instruments


def _instrument(name: str) -> str:
    """Return "wind" for `any/folder/buoy.z05.00.20201201.000000.wind.csv`, and "" for a name of another form."""
    parts = name.split(".")
    return parts[-2] if len(parts) > 2 and parts[-1] == "csv" else ""
