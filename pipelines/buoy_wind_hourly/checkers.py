"""Quality checks that tsdat does not provide."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from tsdat import QualityChecker


class CheckFewSamples(QualityChecker):
    """Flag means of too few samples.

    The variable's attribute `samples_variable` names the variable with the number of samples. An hour without samples
    is not flagged here: its mean is missing, and CheckMissing flags it.
    """

    class Parameters(BaseModel):
        """Parameters set in the quality config."""

        model_config = ConfigDict(extra="forbid")
        fewest: int
        """The smallest number of samples that is enough."""

    parameters: Parameters

    def run(self, dataset: xr.Dataset, variable_name: str) -> NDArray[np.bool_]:
        """Return True where an hour has samples but too few of them, in the shape of the variable (time)."""
        samples = dataset[dataset[variable_name].attrs["samples_variable"]].to_numpy()
        too_few: NDArray[np.bool_] = (samples > 0) & (samples < self.parameters.fewest)
        return too_few
