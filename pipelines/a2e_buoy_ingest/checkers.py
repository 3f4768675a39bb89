"""Quality checks that tsdat does not have."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from tsdat import CheckMissing, QualityChecker


class CheckDirectionHasSpeed(QualityChecker):
    """Finds directions whose speed is missing or was removed: a vector of unknown length points nowhere.

    The variable's attribute `speed_variable` names the speed. Needed for the current profiler, which writes the
    plausible direction 225 degrees beside its fill speed of 46340 mm/s (-32768 mm/s both east and north).
    """

    def run(self, dataset: xr.Dataset, variable_name: str) -> NDArray[np.bool_]:
        """Returns True where a direction is present and its speed is not, in the shape of the variable."""
        is_missing = CheckMissing().run
        speed_name = dataset[variable_name].attrs["speed_variable"]
        return is_missing(dataset, speed_name) & ~is_missing(dataset, variable_name)
