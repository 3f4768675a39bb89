"""The buoys' raw CSV files to one NetCDF dataset and three plots."""

import numpy as np
import xarray as xr
from tsdat import IngestPipeline

from .plots import PLOTS


class A2eBuoyIngest(IngestPipeline):
    """Ingests what a lidar buoy sends: an archive with the day's ten CSV files, or one of them."""

    def hook_finalize_dataset(self, dataset: xr.Dataset) -> xr.Dataset:
        """Gives each valid_range the type of its variable, as the NetCDF conventions ask; YAML knows no float32."""
        for variable in dataset.data_vars.values():
            if "valid_range" in variable.attrs:
                variable.attrs["valid_range"] = np.asarray(variable.attrs["valid_range"], dtype=variable.dtype)
        return dataset

    def hook_plot_dataset(self, dataset: xr.Dataset) -> None:
        """Saves surface_met, conductivity and currents as PNG files beside the dataset."""
        for title, draw in PLOTS.items():
            draw(dataset).savefig(self.get_ancillary_filepath(title), pil_kwargs={"compress_level": 2})
