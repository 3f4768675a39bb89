"""Whether what runs stored has come into the outputs folder, where it survives LocalStack."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from runner.state.runs import Run

# Metadata of an object that was put back from the folder into a new bucket: the mtime of its file, in ns. What was in
# the old bucket may have been newer.
RESTORED = "restored"
# File systems and databases round times.
_ROUNDING_S = 0.001


def is_mirrored(run: Run, folder: Path) -> bool:
    """Whether all outputs of a run have come into the folder since the run ended."""
    paths = [folder / output["key"] for output in run.record["outputs"]]
    return all(path.is_file() and path.stat().st_mtime >= run.ended_at - _ROUNDING_S for path in paths)


def await_mirrored(runs: Iterable[Run], folder: Path, patience_s: float = 10.0) -> None:
    """Wait until the outputs of runs have come into the folder: the mirror is a little later than the history."""
    runs = list(runs)
    deadline = time.monotonic() + patience_s
    while not all(is_mirrored(run, folder) for run in runs) and time.monotonic() < deadline:
        time.sleep(0.02)
