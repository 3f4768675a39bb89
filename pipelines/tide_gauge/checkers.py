"""Quality checks that tsdat does not have."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from tsdat import QualityChecker


class CheckInstrumentFlag(QualityChecker):
    """Finds the times at which the gauge itself gave its measurement a certain flag."""

    class Parameters(BaseModel):
        """What the quality config sets."""

        model_config = ConfigDict(extra="forbid")
        flag_variable: str
        """The variable with the gauge's flags."""
        flag: int
        """The flag to find."""

    parameters: Parameters

    def run(self, dataset: xr.Dataset, variable_name: str) -> NDArray[np.bool_]:
        """Returns True where the flag is set, in the shape of the variable (time)."""
        found: NDArray[np.bool_] = dataset[self.parameters.flag_variable].to_numpy() == self.parameters.flag
        return found
