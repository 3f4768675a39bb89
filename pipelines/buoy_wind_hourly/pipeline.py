"""Average the wind that a2e_buoy_ingest stored into hourly means, with both locations in one dataset."""

from typing import Any

import pandas as pd
import xarray as xr
from tsdat import TransformationPipeline
from tsdat.io.retrievers.storage_retriever_input import StorageRetrieverInput

from .means import hourly_means
from .plots import wind


class BuoyWindHourly(TransformationPipeline):
    """Average the wind over each hour of a window. Hours without data are in the output too, as missing values.

    tsdat's BinAverage does not fit: it divides a sample taken on the full hour between two hours, and it has no
    circular mean for directions.
    """

    def hook_customize_input_datasets(self, input_datasets: dict[str, xr.Dataset], **_: Any) -> dict[str, xr.Dataset]:
        """Replace each fetched dataset with its hourly means, before the retriever selects variables from it.

        Args:
            input_datasets: Datasets of 10-minute samples, keyed by `<datastream>::<start>::<end>`.

        Raises:
            ValueError: The window does not consist of whole hours, or nothing is stored for any of the datastreams.
        """
        means = {}
        for key, dataset in input_datasets.items():
            window = StorageRetrieverInput(key)
            begin, end = pd.Timestamp(window.start), pd.Timestamp(window.end)
            if begin >= end or begin != begin.floor("h") or end != end.floor("h"):
                raise ValueError(f"The window from {begin} to {end} does not consist of whole hours (UTC).")
            means[key] = hourly_means(dataset, begin, end)
        if not any(input_datasets.values()):
            raise ValueError(f"Nothing is stored for {' or '.join(input_datasets)}. Run a2e_buoy_ingest first.")
        return means

    def hook_plot_dataset(self, dataset: xr.Dataset) -> None:
        """Save the plot as a PNG file next to the dataset."""
        wind(dataset).savefig(self.get_ancillary_filepath("wind"), pil_kwargs={"compress_level": 2})
