"""A short summary of a NetCDF file, in the order of ncdump."""

from __future__ import annotations

from pathlib import Path

_ATTRIBUTES = ("title", "Conventions", "datastream", "location_id", "temporal")


def lines(path: Path) -> list[str]:
    """Return a line for each dimension, variable and main attribute."""
    import numpy as np
    import xarray as xr

    with xr.open_dataset(path) as dataset:
        sizes = ", ".join(f"{name} = {size}" for name, size in dataset.sizes.items())
        times = dataset["time"].to_numpy()
        first, last = (str(np.datetime_as_string(time, unit="s")) for time in times[[0, -1]])
        found = [f"dimensions: {sizes}", f"time: {first} to {last} UTC", "variables:"]
        for name, variable in dataset.data_vars.items():
            if str(name).startswith("qc_") or variable.dims != ("time",) or variable.dtype.kind not in "fiu":
                continue
            values = variable.to_numpy().astype(float)
            count = int(np.isnan(values).sum())
            span = f"{np.nanmin(values):g} to {np.nanmax(values):g}" if count < values.size else "no values"
            missing = f", {count} missing" if count else ""
            found.append(
                f"    {name}({', '.join(map(str, variable.dims))}): {span} {variable.attrs.get('units', '')}{missing}"
            )
        found += [f":{name} = {dataset.attrs[name]!r}" for name in _ATTRIBUTES if name in dataset.attrs]
    return found
