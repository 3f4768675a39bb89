"""Describes a NetCDF file in the order of `ncdump -h`: dimensions, variables with attributes, global attributes."""

from __future__ import annotations

from typing import Any

import netCDF4
import numpy as np

_MOST_CHARACTERS = 2000


def header(dataset: netCDF4.Dataset) -> dict[str, Any]:
    """Return what a file contains, without its data."""
    return {
        "dimensions": [
            {"name": name, "size": len(dimension), "unlimited": dimension.isunlimited()}
            for name, dimension in dataset.dimensions.items()
        ],
        "variables": [_variable(dataset, name) for name in dataset.variables],
        "attributes": _attributes(dataset),
    }


def _variable(dataset: netCDF4.Dataset, name: str) -> dict[str, Any]:
    variable = dataset.variables[name]
    attributes = _attributes(variable)
    return {
        "name": name,
        "type": str(variable.dtype) if variable.dtype is not str else "string",
        "dimensions": list(variable.dimensions),
        "shape": list(variable.shape),
        "is_coordinate": name in dataset.dimensions,
        "is_quality": is_quality(variable),
        "kind": kind(dataset, name),
        "long_name": attributes.get("long_name", ""),
        "units": attributes.get("units", ""),
        "attributes": attributes,
    }


def kind(dataset: netCDF4.Dataset, name: str) -> str:
    """Return how a variable is drawn: series, image, or not at all (empty)."""
    variable = dataset.variables[name]
    if name in dataset.dimensions or is_quality(variable) or not is_number(variable) or 0 in variable.shape:
        return ""
    if len(variable.dimensions) == 1:
        return "series" if axis(dataset, variable.dimensions[0]) else ""
    return "image" if len(variable.dimensions) == 2 and all(axis(dataset, d) for d in variable.dimensions) else ""


def axis(dataset: netCDF4.Dataset, dimension: str) -> netCDF4.Variable[Any] | None:
    """Return the coordinate of a dimension; None if it has none that is a number."""
    found = dataset.variables.get(dimension)
    return found if found is not None and found.ndim == 1 and is_number(found) else None


def is_number(variable: netCDF4.Variable[Any]) -> bool:
    """Return whether a variable holds numbers."""
    return variable.dtype is not str and np.issubdtype(variable.dtype, np.number)


def is_quality(variable: netCDF4.Variable[Any]) -> bool:
    """Return whether a variable holds the flags of another."""
    return "flag_masks" in variable.ncattrs() or "flag_values" in variable.ncattrs()


def quality_of(dataset: netCDF4.Dataset, name: str) -> netCDF4.Variable[Any] | None:
    """Return the variable that holds another's quality flags as bits."""
    names = [*str(getattr(dataset.variables[name], "ancillary_variables", "")).split(), f"qc_{name}"]
    for other in names:
        found = dataset.variables.get(other)
        same = found is not None and found.dimensions == dataset.variables[name].dimensions
        if found is not None and same and "flag_masks" in found.ncattrs():
            return found
    return None


def _attributes(holder: Any) -> dict[str, str]:
    return {name: _text(holder.getncattr(name)) for name in holder.ncattrs()}


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray | list):
        text = ", ".join(_text(item) for item in value)
    elif isinstance(value, np.generic):
        text = str(value.item())
    else:
        text = str(value)
    return text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + " …"
