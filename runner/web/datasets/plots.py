"""Reduces a variable to what a screen can show: a line to minimum and maximum of each column, an image to means."""

from __future__ import annotations

import base64
from typing import Any

import cftime
import netCDF4
import numpy as np
from numpy.typing import NDArray

from runner.web.datasets import describe
from runner.web.datasets.reduction import min_max, nearest_or_mean, spans

Floats = NDArray[np.float64]


def data(
    dataset: netCDF4.Dataset, name: str, columns: int, rows: int, begin: float | None, end: float | None
) -> dict[str, Any]:
    """Return the data of a plot.

    Args:
        dataset: an open file.
        name: of a variable.
        columns: width of the plot in pixels.
        rows: its height.
        begin: first value on the horizontal axis, in ms since 1970 if it is a time; None for all.
        end: the last one.

    Raises:
        LookupError: there is no such variable, or it cannot be drawn.
    """
    if name not in dataset.variables or not describe.kind(dataset, name):
        raise LookupError(f"{name!r} is not a variable that can be drawn.")
    variable = dataset.variables[name]
    dimension = _horizontal(dataset, variable)
    x, is_time = values_of_axis(dataset.variables[dimension])
    about = {
        "kind": describe.kind(dataset, name), "name": name, "is_time": is_time, "x_name": dimension,
        "long_name": str(getattr(variable, "long_name", name)), "units": str(getattr(variable, "units", "")),
        "x_range": [float(np.nanmin(x)), float(np.nanmax(x))],
    }  # fmt: skip
    first, last = _window(x, begin, end)
    if variable.ndim == 1:
        return {**about, **_series(dataset, name, x, first, last, columns)}
    return {**about, **_image(dataset, variable, dimension, x, first, last, columns, rows)}


def _horizontal(dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any]) -> str:
    """Return the dimension of the horizontal axis: time if there is one, else the first."""
    times = [name for name in variable.dimensions if " since " in str(getattr(dataset.variables[name], "units", ""))]
    return str((times or variable.dimensions)[0])


def values_of_axis(variable: netCDF4.Variable[Any]) -> tuple[Floats, bool]:
    """Return the values of a coordinate, and whether they are times, which are in ms since 1970."""
    values = _floats(variable[:])
    units, calendar = str(getattr(variable, "units", "")), str(getattr(variable, "calendar", "standard"))
    if " since " not in units or calendar not in ("standard", "gregorian", "proleptic_gregorian"):
        return values, False
    zero, one = cftime.num2date([0, 1], units, calendar, only_use_cftime_datetimes=True)
    epoch = cftime.date2num(zero, "milliseconds since 1970-01-01", calendar)
    return values * ((one - zero).total_seconds() * 1000) + float(epoch), True


def _window(x: Floats, begin: float | None, end: float | None) -> tuple[int, int]:
    """Return the indices of what is visible, with one more on each side so that lines leave the plot."""
    first = 0 if begin is None else max(0, int(np.searchsorted(x, begin)) - 1)
    last = len(x) if end is None else min(len(x), int(np.searchsorted(x, end, "right")) + 1)
    return first, max(last, first + 1)


def _series(dataset: netCDF4.Dataset, name: str, x: Floats, first: int, last: int, columns: int) -> dict[str, Any]:
    values = _floats(dataset.variables[name][first:last])
    shown = x[first:last]
    found = describe.quality_of(dataset, name)
    strips = []
    if found is not None:
        flags = np.ma.filled(found[first:last], 0).astype(np.int64)
        strips = [
            {"meaning": meaning, "assessment": assessment, "spans": spans(shown, (flags & mask) != 0, columns)}
            for mask, meaning, assessment in _checks(found)
        ]
    xs, ys = min_max(shown, values, columns)
    return {
        "x": _packed(xs), "y": _packed(ys), "strips": [strip for strip in strips if strip["spans"]],
        "samples": int(last - first), "is_reduced": len(xs) < last - first,
    }  # fmt: skip


def _image(
    dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any], dimension: str, x: Floats, first: int, last: int,
    columns: int, rows: int,
) -> dict[str, Any]:  # fmt: skip
    other = next(name for name in variable.dimensions if name != dimension)
    is_first = variable.dimensions[0] == dimension
    values = _floats(variable[first:last, :] if is_first else variable[:, first:last])
    z = values if is_first else values.T  # by x, then y
    y, _ = values_of_axis(dataset.variables[other])
    z, x_range = nearest_or_mean(x[first:last], z, columns)
    turned, y_range = nearest_or_mean(y, z.T, rows)
    finite = turned[np.isfinite(turned)]
    low, high = np.percentile(finite, [2, 98]) if finite.size else (0.0, 1.0)
    axis = dataset.variables[other]
    return {
        "z": base64.b64encode(np.ascontiguousarray(turned, np.float32).tobytes()).decode(),
        "shape": list(turned.shape), "left": x_range[0], "right": x_range[1], "bottom": y_range[0],
        "top": y_range[1], "low": float(low), "high": float(high) if high > low else float(low) + 1.0,
        "y_name": other, "y_units": str(getattr(axis, "units", "")),
        "is_down": str(getattr(axis, "positive", "")) == "down" or other.lower() in ("depth", "pressure"),
        "samples": int(values.size), "is_reduced": turned.size < values.size,
    }  # fmt: skip


def _checks(quality: netCDF4.Variable[Any]) -> list[tuple[int, str, str]]:
    masks = [int(mask) for mask in np.atleast_1d(quality.flag_masks)]
    meanings, assessments = (_words(getattr(quality, name, "")) for name in ("flag_meanings", "flag_assessments"))
    padded = [*assessments, *[""] * len(masks)]
    return list(zip(masks, [*meanings, *map(str, masks[len(meanings) :])], padded, strict=False))


def _words(value: Any) -> list[str]:
    return value.split() if isinstance(value, str) else [str(item) for item in value]


def _floats(values: Any) -> Floats:
    """Return values as floats, NaN where they are missing."""
    result: Floats = np.ma.filled(np.ma.asarray(values, np.float64), np.nan)
    return result


def _packed(values: Floats) -> str:
    return base64.b64encode(np.ascontiguousarray(values, np.float64).tobytes()).decode()
