"""The child process: reads one JSON request a line, and writes one JSON answer a line. It exits with its parent."""

from __future__ import annotations

import json
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import netCDF4

from runner.web.datasets import describe, plots

_OPEN_FILES = 8


@lru_cache(maxsize=_OPEN_FILES)
def _opened(file: str, mtime_ns: int, size: int) -> netCDF4.Dataset:
    """Return an open file; another content under its name is another file."""
    return netCDF4.Dataset(file)


def answer(request: dict[str, Any]) -> Any:
    """Return the answer to a request.

    Raises:
        LookupError, ValueError, OSError: the file cannot be read or does not have what is asked for.
    """
    file = Path(request["file"])
    status = file.stat()
    dataset = _opened(str(file), status.st_mtime_ns, status.st_size)
    if request["operation"] == "describe":
        return describe.header(dataset)
    return plots.data(
        dataset, request["variable"], request["columns"], request["rows"], request["begin"], request["end"]
    )


def main() -> None:
    """Answer until the input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        try:
            text = json.dumps({"result": answer(request)}, allow_nan=False)
        except Exception as error:  # noqa: BLE001  any file may be broken in any way
            text = json.dumps({"error": f"{Path(request['file']).name}: {type(error).__name__}: {error}"})
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
