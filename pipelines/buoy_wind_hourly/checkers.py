"""Quality checks that tsdat does not have."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from tsdat import QualityChecker


class CheckFewSamples(QualityChecker):
    """Finds means that were made of fewer samples than can be trusted.

    The variable's attribute `samples_variable` names the one that counts them. An hour without any is missing, which
    is another check.
    """

    class Parameters(BaseModel):
        """What the quality config sets."""

        model_config = ConfigDict(extra="forbid")
        fewest: int
        """As many samples are enough."""

    parameters: Parameters

    def run(self, dataset: xr.Dataset, variable_name: str) -> NDArray[np.bool_]:
        """Returns True where there are some samples and not enough, in the shape of the variable (time)."""
        samples = dataset[dataset[variable_name].attrs["samples_variable"]].to_numpy()
        found: NDArray[np.bool_] = (samples > 0) & (samples < self.parameters.fewest)
        return found
