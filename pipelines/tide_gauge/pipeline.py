"""Ingest a log of the tide gauge into a NetCDF dataset and a plot."""

import numpy as np
import xarray as xr
from tsdat import IngestPipeline

from .plots import water_level


class TideGaugeIngest(IngestPipeline):
    """Ingest one log of the tide gauge."""

    def hook_finalize_dataset(self, dataset: xr.Dataset) -> xr.Dataset:
        """Convert valid_range, warn_range and flag_values to the type of their variable, as CF requires."""
        for variable in dataset.data_vars.values():
            for name in {"valid_range", "warn_range", "flag_values"} & set(variable.attrs):
                variable.attrs[name] = np.asarray(variable.attrs[name], dtype=variable.dtype)
        return dataset

    def hook_plot_dataset(self, dataset: xr.Dataset) -> None:
        """Save the plot as a PNG file next to the dataset."""
        water_level(dataset).savefig(self.get_ancillary_filepath("water_level"), pil_kwargs={"compress_level": 2})
