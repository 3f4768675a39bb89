"""The buoys' wind, as a2e_buoy_ingest stored it, to hourly means of both locations in one dataset."""

from typing import Any

import pandas as pd
import xarray as xr
from tsdat import TransformationPipeline
from tsdat.io.retrievers.storage_retriever_input import StorageRetrieverInput

from .means import hourly_means
from .plots import wind


class BuoyWindHourly(TransformationPipeline):
    """Averages the wind of a window of whole hours; every hour is in the output, also one without data.

    tsdat's own BinAverage would split a sample at the full hour between two hours, and knows no circular mean.
    """

    def hook_customize_input_datasets(self, input_datasets: dict[str, xr.Dataset], **_: Any) -> dict[str, xr.Dataset]:
        """Puts the hourly means in the place of what was fetched, before the variables are picked from them."""
        means = {}
        for key, dataset in input_datasets.items():
            window = StorageRetrieverInput(key)
            begin, end = pd.Timestamp(window.start), pd.Timestamp(window.end)
            if begin >= end or begin != begin.floor("h") or end != end.floor("h"):
                raise ValueError(f"The window from {begin} to {end} is not made of whole hours. Give full hours, UTC.")
            means[key] = hourly_means(dataset, begin, end)
        if not any(input_datasets.values()):
            raise ValueError(f"Nothing is stored of {' or '.join(input_datasets)}. Run a2e_buoy_ingest for it first.")
        return means

    def hook_plot_dataset(self, dataset: xr.Dataset) -> None:
        """Saves the plot beside the dataset."""
        wind(dataset).savefig(self.get_ancillary_filepath("wind"), pil_kwargs={"compress_level": 2})
