import numpy as np
import xarray as xr

from runner.function import quality_summary


def test_flagged_samples_are_counted_by_check():
    attributes = {"flag_masks": [1, 2, 4], "flag_meanings": ["Value is missing", "Value is below range", "Unused"]}
    flags = xr.DataArray(np.array([0, 1, 3, 2]), dims="time", attrs=attributes)
    dataset = xr.Dataset({"rh": ("time", np.ones(4)), "qc_rh": flags})
    assert quality_summary.summarize(dataset) == {
        "rh": {"samples": 4, "flagged": {"Value is missing": 2, "Value is below range": 2}}
    }


def test_other_variables_and_results_are_ignored():
    dataset = xr.Dataset({"qc_rh": ("time", np.ones(4)), "rh": ("time", np.ones(4))})
    assert quality_summary.summarize(dataset) == {}
    assert quality_summary.summarize(None) == {}
