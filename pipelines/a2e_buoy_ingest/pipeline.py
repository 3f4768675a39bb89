"""Ingest the raw CSV files of the lidar buoys into one NetCDF dataset and three plots."""

import numpy as np
import xarray as xr
from tsdat import IngestPipeline

from .plots import PLOTS


class A2eBuoyIngest(IngestPipeline):
    """Ingest a day of data from one lidar buoy: an archive with its ten CSV files, or a single CSV file."""

    def hook_finalize_dataset(self, dataset: xr.Dataset) -> xr.Dataset:
        """Convert each valid_range to the type of its variable, as CF requires. YAML itself has no float32."""
        for variable in dataset.data_vars.values():
            if "valid_range" in variable.attrs:
                variable.attrs["valid_range"] = np.asarray(variable.attrs["valid_range"], dtype=variable.dtype)
        return dataset

    def hook_plot_dataset(self, dataset: xr.Dataset) -> None:
        """Save the plots surface_met, conductivity and currents as PNG files next to the dataset."""
        for title, draw in PLOTS.items():
            draw(dataset).savefig(self.get_ancillary_filepath(title), pil_kwargs={"compress_level": 2})
