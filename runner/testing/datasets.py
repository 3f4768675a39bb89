"""Compares two datasets in everything that a user of a NetCDF file may rely on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr

# Global attributes that differ between runs.
CHANGING_ATTRIBUTES = ("history",)
_ENCODING = ("dtype", "_FillValue", "units", "calendar", "scale_factor", "add_offset")


def assert_datasets_match(
    actual: xr.Dataset | str | Path,
    expected: xr.Dataset | str | Path,
    *,
    ignore_attributes: Iterable[str] = CHANGING_ATTRIBUTES,
) -> None:
    """Compare names, dimensions, values, dtypes and attributes; for datasets from files, also fill values and units.

    Args:
        actual: a dataset or a NetCDF file.
        expected: the reference, a dataset or a NetCDF file.
        ignore_attributes: global attributes that may differ; often also `inputs`, which names the S3 object.

    Raises:
        AssertionError: they differ; the text has a line for each difference.
    """
    differences = list(_differences(_open(actual), _open(expected), set(ignore_attributes)))
    if differences:
        raise AssertionError("datasets differ (actual ≠ expected):\n" + "\n".join(f"  {line}" for line in differences))


def _open(source: xr.Dataset | str | Path) -> xr.Dataset:
    import xarray as xr

    if not isinstance(source, str | Path):
        return source
    with xr.open_dataset(source) as dataset:
        return dataset.load()


def _differences(actual: xr.Dataset, expected: xr.Dataset, ignored: set[str]) -> Iterator[str]:
    yield from _compare("dimensions", dict(actual.sizes), dict(expected.sizes))
    for name in sorted({*actual.variables, *expected.variables}, key=str):
        if name not in actual.variables:
            yield f"{name}: missing"
        elif name not in expected.variables:
            yield f"{name}: not expected"
        else:
            yield from _variable_differences(str(name), actual[name], expected[name])
    for key in sorted({*actual.attrs, *expected.attrs} - ignored):
        yield from _compare(f"attribute {key}", actual.attrs.get(key), expected.attrs.get(key))


def _variable_differences(name: str, actual: xr.DataArray, expected: xr.DataArray) -> Iterator[str]:
    yield from _compare(f"{name}: dimensions", actual.dims, expected.dims)
    yield from _compare(f"{name}: dtype", actual.dtype, expected.dtype)
    if actual.sizes == expected.sizes and not _same(actual, expected).all():
        yield f"{name}: values differ, {_describe(actual, expected)}"
    for key in sorted({*actual.attrs, *expected.attrs}):
        yield from _compare(f"{name}: attribute {key}", actual.attrs.get(key), expected.attrs.get(key))
    if actual.encoding and expected.encoding:
        for key in _ENCODING:
            yield from _compare(f"{name}: stored {key}", actual.encoding.get(key), expected.encoding.get(key))


def _describe(actual: xr.DataArray, expected: xr.DataArray) -> str:
    """Return how often two arrays of the same shape differ, and where first."""
    import numpy as np

    same = _same(actual, expected)
    first = tuple(int(index) for index in np.argwhere(~same)[0])
    values = f"{actual.to_numpy()[first]} ≠ {expected.to_numpy()[first]}"
    return f"{int((~same).sum())} of {same.size}, first at {list(first)}: {values}"


def _same(actual: xr.DataArray, expected: xr.DataArray) -> Any:
    """Compare element by element; NaN equals NaN and NaT equals NaT."""
    left, right = actual.to_numpy(), expected.to_numpy()
    return (left == right) | ((left != left) & (right != right))  # noqa: PLR0124


def _compare(what: str, actual: Any, expected: Any) -> Iterator[str]:
    import numpy as np

    left, right = (np.asarray(value) if value is not None else None for value in (actual, expected))
    if left is None or right is None:
        equal = left is right
    elif left.dtype.kind in "fc" and right.dtype.kind in "fc":
        equal = left.dtype == right.dtype and np.array_equal(left, right, equal_nan=True)
    else:
        equal = left.dtype.kind == right.dtype.kind and bool(np.array_equal(left, right))
    if not equal:
        yield f"{what}: {actual!r} ≠ {expected!r}"
