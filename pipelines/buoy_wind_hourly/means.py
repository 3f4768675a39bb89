"""Hourly means of wind from samples of which some are bad."""

import numpy as np
import pandas as pd
import xarray as xr

# Unit vectors that cancel out leave this much, through rounding.
_NO_DIRECTION = 1e-6


def hourly_means(dataset: xr.Dataset, begin: pd.Timestamp, end: pd.Timestamp) -> xr.Dataset:
    """Averages over every hour of a window.

    Args:
        dataset: Has wind_speed and wind_direction (degrees) over time, as tsdat stored them, or is empty.
        begin: The first hour; a sample belongs to the hour that its time is in, from 10:00:00 to 10:59:59.
        end: Where the last hour ends.

    Returns:
        wind_speed and wind_direction over time, NaN for an hour without good samples, and as wind_speed_samples and
        wind_direction_samples how many of these there were.
    """
    hours = pd.date_range(begin, end, freq="h", inclusive="left", name="time", unit="ns")
    means = xr.Dataset(coords={"time": hours})
    for name, mean in (("wind_speed", _mean), ("wind_direction", _mean_direction)):
        samples = _good_samples(dataset, name)
        means[name] = ("time", mean(samples).reindex(hours).to_numpy())
        means[f"{name}_samples"] = ("time", _by_hour(samples).size().reindex(hours, fill_value=0).to_numpy())
    return means


def _good_samples(dataset: xr.Dataset, name: str) -> "pd.Series[float]":
    """A variable without what is missing or flagged Bad; the first of those that overlapping files have twice."""
    if name not in dataset:
        return pd.Series(index=pd.DatetimeIndex([]), dtype="float64")
    values = dataset[name].astype("float64")
    if f"qc_{name}" in dataset:
        bits = dataset[f"qc_{name}"]
        # A list of one comes back from a NetCDF file as its entry.
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
    """The direction of the mean unit vector: of 350 and 30 degrees, 10."""
    angles = np.deg2rad(samples)
    east, north = _mean(np.sin(angles)), _mean(np.cos(angles))
    directions = np.rad2deg(np.arctan2(east, north)) % 360
    return directions.where(np.hypot(east, north) > _NO_DIRECTION)
