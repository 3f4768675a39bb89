"""Reduces samples to pixels. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# A pixel takes the value of a sample that is no farther than so many typical steps.
_REACH_STEPS = 0.75


def min_max(x: Floats, y: Floats, columns: int) -> tuple[Floats, Floats]:
    """Return at most two points for each column, its minimum and its maximum, so that no spike is lost.

    Args:
        x: sorted.
        y: NaN where it is missing.
        columns: of pixels.
    """
    if len(x) <= 2 * columns:
        return x, y
    starts = _starts(x, columns)
    stops = np.append(starts[1:], len(x))
    low, high = np.fmin.reduceat(y, starts), np.fmax.reduceat(y, starts)
    xs, ys = np.repeat(x[starts], 2), np.empty(2 * len(starts))
    xs[1::2] = (x[starts] + x[stops - 1]) / 2
    ys[0::2], ys[1::2] = low, high
    return xs, ys


def spans(x: Floats, is_flagged: NDArray[np.bool_], columns: int) -> list[list[float]]:
    """Return begin and end of each stretch of flagged samples, at most one for each column of pixels.

    A sample stands for the time to its neighbors, half of it on each side.
    """
    if not is_flagged.any():
        return []
    if len(x) > columns:
        starts = _starts(x, columns)
        is_flagged, x = np.logical_or.reduceat(is_flagged, starts), x[starts]
    half = np.median(np.diff(x)) / 2 if len(x) > 1 else 0.5
    edges = np.flatnonzero(np.diff(np.concatenate(([0], is_flagged.astype(np.int8), [0]))))
    return [[float(x[first] - half), float(x[stop - 1] + half)] for first, stop in zip(*[iter(edges)] * 2, strict=True)]


def nearest_or_mean(x: Floats, z: Floats, columns: int) -> tuple[Floats, tuple[float, float]]:
    """Return `z` on at most so many evenly spaced positions of its first axis, and the edges of the whole.

    A position with several samples has their mean; one without any has the nearest sample, NaN if that is far away.
    """
    order = np.argsort(x)
    x, z = x[order], z[order]
    step = float(np.median(np.diff(x))) if len(x) > 1 else 1.0
    step = step if step > 0 else 1.0
    left, right = float(x[0]) - step / 2, float(x[-1]) + step / 2
    count = min(columns, max(1, round((right - left) / step)))
    edges = np.linspace(left, right, count + 1)
    places = np.searchsorted(x, edges)
    known = np.concatenate((np.zeros((1, z.shape[1])), np.cumsum(np.isfinite(z), axis=0)))
    total = np.concatenate((np.zeros((1, z.shape[1])), np.cumsum(np.nan_to_num(z), axis=0)))
    number, sums = known[places[1:]] - known[places[:-1]], total[places[1:]] - total[places[:-1]]
    mean = np.divide(sums, number, out=np.full_like(sums, np.nan), where=number > 0)
    centers = (edges[1:] + edges[:-1]) / 2
    right_of = np.clip(np.searchsorted(x, centers), 1, max(1, len(x) - 1))
    nearest = np.where(
        np.abs(x[right_of - 1] - centers) <= np.abs(x[right_of % len(x)] - centers), right_of - 1, right_of % len(x)
    )
    is_empty = (places[1:] == places[:-1]) & (np.abs(x[nearest] - centers) <= _REACH_STEPS * step)
    mean[is_empty] = z[nearest[is_empty]]
    return mean, (left, right)


def _starts(x: Floats, columns: int) -> NDArray[np.intp]:
    """Return the index of the first sample in each column that has any."""
    return np.unique(np.searchsorted(x, np.linspace(x[0], x[-1], columns, endpoint=False)))
