"""The tide gauge's logs to a NetCDF dataset and a plot."""

import numpy as np
import xarray as xr
from tsdat import IngestPipeline

from .plots import water_level


class TideGaugeIngest(IngestPipeline):
    """Ingests one log of the tide gauge."""

    def hook_finalize_dataset(self, dataset: xr.Dataset) -> xr.Dataset:
        """Gives the attributes that are compared with values the type of their variable, as CF asks."""
        for variable in dataset.data_vars.values():
            for name in {"valid_range", "warn_range", "flag_values"} & set(variable.attrs):
                variable.attrs[name] = np.asarray(variable.attrs[name], dtype=variable.dtype)
        return dataset

    def hook_plot_dataset(self, dataset: xr.Dataset) -> None:
        """Saves the plot beside the dataset."""
        water_level(dataset).savefig(self.get_ancillary_filepath("water_level"), pil_kwargs={"compress_level": 2})
