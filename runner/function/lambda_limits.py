"""Says which of Lambda's limits a failure has met, and which key of template.yaml sets it. Pure."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Iterator

from runner.messages.run_record import Failure

# With less than this a file cannot grow by a block.
_FULL_BYTES = 64 * 1024
_PREFIX = "Limit: "


def reached(error: BaseException, tmp: str, free: int, memory_mb: str) -> str | None:
    """The limit that an exception, or what led to it, has met.

    Args:
        error: any exception. NetCDF says no more than "HDF error" when its file cannot grow.
        tmp: the folder for temporary files.
        free: how many of them were free when the exception was raised.
        memory_mb: the function's memory.
    """
    for cause in _chain(error):
        if isinstance(cause, MemoryError):
            return f"the memory is used up: MemorySize in template.yaml gives the function {memory_mb} MB."
        path = str(getattr(cause, "filename", None) or "a file")
        number = getattr(cause, "errno", None)
        if number == errno.EROFS:
            return f"Lambda's file system is read-only but for /tmp; {path} cannot be written."
        if number in (errno.EACCES, errno.EPERM) and not path.startswith((tmp, "/tmp")):  # noqa: S108
            return f"on Lambda only /tmp can be written, and nobody is root; {path} cannot be used."
        if number == errno.ENOSPC:
            free = 0
    if free < _FULL_BYTES:
        return "/tmp is full: EphemeralStorage in template.yaml sets its size."  # noqa: S108
    return None


def note(error: BaseException, limit: str | None) -> None:
    """Keep a limit with its exception."""
    if limit and not noted(error):
        error.add_note(_PREFIX + limit)


def noted(error: BaseException) -> str:
    """What was kept with an exception or what led to it; empty if nothing was."""
    notes = (text for cause in _chain(error) for text in getattr(cause, "__notes__", ()))
    return next((text for text in notes if text.startswith(_PREFIX)), "")


def memory_warning(before_mb: float, peak_mb: float, memory_mb: float) -> str | None:
    """For where nothing ends a run that takes too much: what AWS would have done."""
    if peak_mb <= before_mb or peak_mb <= memory_mb:
        return None
    return f"used {peak_mb:.0f} MB; MemorySize in template.yaml is {memory_mb:.0f} MB: on AWS this run is killed."


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


_LONGEST_TRACEBACK = 20_000


def failure_of(error: Exception, phase: str) -> Failure:
    """What a record keeps of an exception, with the limit of Lambda's that it met."""
    text = "".join(traceback.format_exception(error))
    return {
        "type": type(error).__name__,
        "message": "\n".join(filter(None, (str(error) or repr(error), noted(error)))),
        "phase": phase,
        "traceback": text[-_LONGEST_TRACEBACK:],
    }
