"""Compares two datasets in everything that a user of a NetCDF file may rely on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr

# What differs from run to run.
CHANGING_ATTRIBUTES = ("history",)
_ENCODING = ("dtype", "_FillValue", "units", "calendar", "scale_factor", "add_offset")


def assert_datasets_match(
    actual: xr.Dataset | str | Path,
    expected: xr.Dataset | str | Path,
    *,
    ignore_attributes: Iterable[str] = CHANGING_ATTRIBUTES,
) -> None:
    """Compare names, dimensions, values, dtypes, attributes and, where they come from files, fill values and units.

    Args:
        actual: a dataset or a NetCDF file.
        expected: what it should be.
        ignore_attributes: global attributes that may differ; `inputs` names the S3 object and is often one more.

    Raises:
        AssertionError: they differ; the text has a line for each difference.
    """
    differences = list(_differences(_opened(actual), _opened(expected), set(ignore_attributes)))
    if differences:
        raise AssertionError("datasets differ (actual ≠ expected):\n" + "\n".join(f"  {line}" for line in differences))


def _opened(source: xr.Dataset | str | Path) -> xr.Dataset:
    import xarray as xr

    if not isinstance(source, str | Path):
        return source
    with xr.open_dataset(source) as dataset:
        return dataset.load()


def _differences(actual: xr.Dataset, expected: xr.Dataset, ignored: set[str]) -> Iterator[str]:
    yield from _unlike("dimensions", dict(actual.sizes), dict(expected.sizes))
    for name in sorted({*actual.variables, *expected.variables}, key=str):
        if name not in actual.variables:
            yield f"{name}: missing"
        elif name not in expected.variables:
            yield f"{name}: not expected"
        else:
            yield from _variable_differences(str(name), actual[name], expected[name])
    for key in sorted({*actual.attrs, *expected.attrs} - ignored):
        yield from _unlike(f"attribute {key}", actual.attrs.get(key), expected.attrs.get(key))


def _variable_differences(name: str, actual: xr.DataArray, expected: xr.DataArray) -> Iterator[str]:
    yield from _unlike(f"{name}: dimensions", actual.dims, expected.dims)
    yield from _unlike(f"{name}: dtype", actual.dtype, expected.dtype)
    if actual.sizes == expected.sizes and not _same(actual, expected).all():
        yield f"{name}: values differ, {_how(actual, expected)}"
    for key in sorted({*actual.attrs, *expected.attrs}):
        yield from _unlike(f"{name}: attribute {key}", actual.attrs.get(key), expected.attrs.get(key))
    if actual.encoding and expected.encoding:
        for key in _ENCODING:
            yield from _unlike(f"{name}: stored {key}", actual.encoding.get(key), expected.encoding.get(key))


def _how(actual: xr.DataArray, expected: xr.DataArray) -> str:
    """Where two arrays of the same shape differ first, and how often."""
    import numpy as np

    same = _same(actual, expected)
    first = tuple(int(index) for index in np.argwhere(~same)[0])
    values = f"{actual.to_numpy()[first]} ≠ {expected.to_numpy()[first]}"
    return f"{int((~same).sum())} of {same.size}, first at {list(first)}: {values}"


def _same(actual: xr.DataArray, expected: xr.DataArray) -> Any:
    """Element by element; NaN and NaT are like themselves."""
    ours, its = actual.to_numpy(), expected.to_numpy()
    return (ours == its) | ((ours != ours) & (its != its))  # noqa: PLR0124


def _unlike(what: str, actual: Any, expected: Any) -> Iterator[str]:
    import numpy as np

    ours, its = (np.asarray(value) if value is not None else None for value in (actual, expected))
    if ours is None or its is None:
        alike = ours is its
    elif ours.dtype.kind in "fc" and its.dtype.kind in "fc":
        alike = ours.dtype == its.dtype and np.array_equal(ours, its, equal_nan=True)
    else:
        alike = ours.dtype.kind == its.dtype.kind and bool(np.array_equal(ours, its))
    if not alike:
        yield f"{what}: {actual!r} ≠ {expected!r}"
