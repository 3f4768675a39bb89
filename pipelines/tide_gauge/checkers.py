"""Quality checks that tsdat does not provide."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from tsdat import QualityChecker


class CheckInstrumentFlag(QualityChecker):
    """Flag the times at which the gauge set a given flag on its own measurement."""

    class Parameters(BaseModel):
        """Parameters set in the quality config."""

        model_config = ConfigDict(extra="forbid")
        flag_variable: str
        """Name of the variable with the gauge's flags."""
        flag: int
        """Value of the flag to look for."""

    parameters: Parameters

    def run(self, dataset: xr.Dataset, variable_name: str) -> NDArray[np.bool_]:
        """Return True where the flag is set, in the shape of the variable (time)."""
        is_set: NDArray[np.bool_] = dataset[self.parameters.flag_variable].to_numpy() == self.parameters.flag
        return is_set
