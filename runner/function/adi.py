"""Refuses tsdat's transformations that need ADI, a library that is not on PyPI and that Lambda's image cannot have.

Without ADI they log a warning and return missing values, so a run would succeed with no data.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from typing import Any

from runner.errors import PackagesError

_ALTERNATIVES = {"BinAverage": "BinAverage", "Interpolate": "LinearInterpolate", "NearestNeighbor": "NearestNeighbor"}


def refuse(pipeline: Any) -> None:
    """Check the data converters of a built pipeline.

    Raises:
        PackagesError: one needs ADI, and it is not installed.
    """
    if importlib.util.find_spec("dsproc3"):
        return
    from tsdat.transform.converters._adi_base_transformer import _ADIBaseTransformer

    for part in _parts(getattr(pipeline, "retriever", None)):
        if isinstance(part, _ADIBaseTransformer):
            name = type(part).__name__
            instead = _ALTERNATIVES.get(name, "BinAverage, LinearInterpolate or NearestNeighbor")
            raise PackagesError(
                f"The retriever's data converter tsdat.transform.{name} needs ADI, which only conda has, and which "
                "cannot be in Lambda's image: the run would store missing values. Use the one of tsdat.transform_v2, "
                f"which needs only Python: {instead}."
            )


def _parts(node: Any, depth: int = 8) -> Iterator[Any]:
    """Yield an object and everything that its fields hold."""
    if depth == 0 or node is None or isinstance(node, str | int | float):
        return
    yield node
    inner = node.values() if isinstance(node, Mapping) else node if isinstance(node, list | tuple) else None
    if inner is None:
        inner = vars(node).values() if hasattr(node, "__dict__") and hasattr(type(node), "model_fields") else ()
    for one in inner:
        yield from _parts(one, depth - 1)
