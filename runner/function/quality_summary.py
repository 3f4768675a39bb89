"""Counts how many samples tsdat's quality checks flagged. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runner.messages.run_record import VariableQC


def summarize(dataset: Any) -> dict[str, VariableQC]:
    """Count the flagged samples of each variable by quality check, from ACT's bit-packed qc_ variables."""
    summary: dict[str, VariableQC] = {}
    for name, variable in getattr(dataset, "data_vars", {}).items():
        masks = variable.attrs.get("flag_masks")
        if not str(name).startswith("qc_") or masks is None:
            continue
        masks = masks if isinstance(masks, Iterable) else [masks]  # NetCDF has no lists of one element
        meanings = variable.attrs.get("flag_meanings", [])
        meanings = meanings.split() if isinstance(meanings, str) else list(meanings)
        values = variable.fillna(0).to_numpy().astype("int64")  # flags may have been read as floating-point numbers
        counts = {str(m): int(((values & int(mask)) != 0).sum()) for mask, m in zip(masks, meanings, strict=False)}
        summary[str(name).removeprefix("qc_")] = {
            "samples": int(values.size),
            "flagged": {meaning: count for meaning, count in counts.items() if count},
        }
    return summary
