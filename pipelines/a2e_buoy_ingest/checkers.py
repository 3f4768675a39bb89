"""Quality checks that tsdat does not provide."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from tsdat import CheckMissing, QualityChecker


class CheckDirectionHasSpeed(QualityChecker):
    """Flag directions whose speed is missing or was removed by an earlier check.

    The variable's attribute `speed_variable` names the speed. Where the current profiler has no echo, it writes its
    fill value, -32768 mm/s, as both the east and the north component. In the CSV this becomes a speed of 46340 mm/s,
    which is out of range, and a direction of 225 degrees, which looks valid.
    """

    def run(self, dataset: xr.Dataset, variable_name: str) -> NDArray[np.bool_]:
        """Return True where a direction is present and its speed is not, in the shape of the variable."""
        is_missing = CheckMissing().run
        speed_name = dataset[variable_name].attrs["speed_variable"]
        return is_missing(dataset, speed_name) & ~is_missing(dataset, variable_name)
