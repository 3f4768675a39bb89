"""A retriever for inputs with a fixed format: a missing column is an error, not an empty variable."""

from pathlib import PurePath

import xarray as xr
from tsdat import DataReader
from tsdat.io.retrievers import DefaultRetriever
from tsdat.io.retrievers.input_key_retrieval_rules import InputKeyRetrievalRules


class StrictRetriever(DefaultRetriever):
    """Retrieve as tsdat's DefaultRetriever does, but raise where it only logs a warning.

    DefaultRetriever skips an input that no reader matches, and leaves a variable empty when its column was renamed.
    Either would be archived as a day without data.

    Raises:
        ValueError: No reader matches an input, a column is missing, or two inputs have different values for the same
            time.
    """

    def _match_inputs(self, input_keys: list[str]) -> dict[str, DataReader]:
        matched = super()._match_inputs(input_keys)
        if unmatched := [key for key in input_keys if key not in matched]:
            patterns = ", ".join(repr(pattern.pattern) for pattern in self.readers)
            raise ValueError(
                f"No reader matches {', '.join(unmatched)}. The patterns under 'readers' in the retriever config are "
                f"{patterns}: correct one, or rename the file."
            )
        return matched

    def _get_raw_mapping(self, input_keys: list[str]) -> dict[str, xr.Dataset]:
        mapping = super()._get_raw_mapping(input_keys)
        for key, dataset in mapping.items():
            self._check_names(key, _label(key, input_keys), dataset)
        return mapping

    def _check_names(self, key: str, label: str, dataset: xr.Dataset) -> None:
        rules = InputKeyRetrievalRules(key, self.coords, self.data_vars)
        for output_name, rule in (rules.coord_rules | rules.data_var_rules).items():
            names = [rule.name] if isinstance(rule.name, str) else rule.name
            if not any(name in dataset for name in names):
                raise ValueError(
                    f"{label} has no column {' or '.join(map(repr, names))}, which '{output_name}' is read from. "
                    f"It has: {', '.join(str(name) for name in dataset.variables)}. "
                    "Correct the file, or set the name of its column in the retriever config."
                )

    def _merge_raw_mapping(self, raw_mapping: dict[str, xr.Dataset]) -> xr.Dataset:
        try:
            return super()._merge_raw_mapping(raw_mapping)
        except xr.MergeError as error:
            raise ValueError(
                f"These inputs have different values for the same time and cannot be merged into one dataset: "
                f"{', '.join(raw_mapping)} ({error}). Run them one by one, or remove the wrong one."
            ) from error


def _label(key: str, input_keys: list[str]) -> str:
    """Return a name without its folder: "buoy.zip: wind.csv" for "wind.csv" in the archive "/tmp/x/buoy.zip"."""
    parent = next(input_key for input_key in input_keys if key.startswith(input_key))
    member = key.removeprefix(parent).lstrip("/")
    return f"{PurePath(parent).name}: {member}" if member else PurePath(parent).name
