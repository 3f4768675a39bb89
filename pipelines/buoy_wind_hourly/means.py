"""Average wind speed and direction over each hour, leaving out bad samples."""

import numpy as np
import pandas as pd
import xarray as xr

# When unit vectors cancel, rounding still leaves a mean vector of up to this length.
_NO_DIRECTION = 1e-6


def hourly_means(dataset: xr.Dataset, begin: pd.Timestamp, end: pd.Timestamp) -> xr.Dataset:
    """Return the mean wind of every hour in a window.

    Args:
        dataset: wind_speed (m/s) and wind_direction (degrees) over "time", with their qc_ variables, as tsdat stored
            them. May be empty.
        begin: Start of the first hour. A sample belongs to the hour that contains its time: 10:00:00 up to, but not
            including, 11:00:00 for the hour 10:00.
        end: End of the last hour, exclusive.

    Returns:
        wind_speed and wind_direction over "time" (the start of each hour), NaN for an hour without good samples, and
        the number of good samples as wind_speed_samples and wind_direction_samples.
    """
    hours = pd.date_range(begin, end, freq="h", inclusive="left", name="time", unit="ns")
    means = xr.Dataset(coords={"time": hours})
    for name, mean in (("wind_speed", _mean), ("wind_direction", _mean_direction)):
        samples = _good_samples(dataset, name)
        means[name] = ("time", mean(samples).reindex(hours).to_numpy())
        means[f"{name}_samples"] = ("time", _by_hour(samples).size().reindex(hours, fill_value=0).to_numpy())
    return means


def _good_samples(dataset: xr.Dataset, name: str) -> "pd.Series[float]":
    """Return the samples of a variable that are neither missing nor flagged Bad.

    Where overlapping files have two samples for the same time, the first one counts.
    """
    if name not in dataset:
        return pd.Series(index=pd.DatetimeIndex([]), dtype="float64")
    values = dataset[name].astype("float64")
    if f"qc_{name}" in dataset:
        bits = dataset[f"qc_{name}"]
        # NetCDF returns an attribute with one element as a scalar.
        flags = zip(*(np.atleast_1d(bits.attrs[key]) for key in ("flag_masks", "flag_assessments")), strict=True)
        bad = sum(int(mask) for mask, assessment in flags if assessment == "Bad")
        values = values.where((bits.astype("int64") & bad) == 0)
    samples = values.to_series().dropna()
    return samples[~samples.index.duplicated()]


def _by_hour(samples: "pd.Series[float]") -> "pd.api.typing.SeriesGroupBy":
    return samples.groupby(samples.index.floor("h"))


def _mean(samples: "pd.Series[float]") -> "pd.Series[float]":
    return _by_hour(samples).mean()


def _mean_direction(samples: "pd.Series[float]") -> "pd.Series[float]":
    """Return the direction (degrees) of the mean unit vector, for example 10 for 350 and 30."""
    angles = np.deg2rad(samples)
    east, north = _mean(np.sin(angles)), _mean(np.cos(angles))
    directions = np.rad2deg(np.arctan2(east, north)) % 360
    return directions.where(np.hypot(east, north) > _NO_DIRECTION)
