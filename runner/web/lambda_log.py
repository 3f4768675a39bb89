"""The lines that a Lambda logged about one invocation."""

from __future__ import annotations

from pathlib import Path

# The end of each log in which a run is looked for, and the most that is shown of it.
_SEARCHED_BYTES = 8_000_000
_SHOWN_CHARACTERS = 100_000


def of_request(folder: Path, request_id: str) -> str:
    """Return what the embedded Lambdas logged between START and END of a request; empty if it is not there."""
    start, end = f"START RequestId: {request_id}", f"END RequestId: {request_id}"
    for file in sorted(folder.glob("lambda-*.log")) if request_id else []:
        text = tail(file, _SEARCHED_BYTES)
        begin = text.rfind(start)
        if begin >= 0:
            stop = text.find(end, begin)
            return text[begin : stop + len(end) if stop >= 0 else None][:_SHOWN_CHARACTERS]
    return ""


def tail(file: Path, size: int) -> str:
    """Return the last bytes of a file as text; empty if it cannot be read."""
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - size))
            return stream.read(size).decode(errors="replace")
    except OSError:
        return ""
