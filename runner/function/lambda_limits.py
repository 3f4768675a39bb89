"""Finds out which Lambda limit a failure has reached, and which property in template.yaml sets it. Pure."""

from __future__ import annotations

import errno
import traceback

from runner.function.explanations import chain, explain
from runner.messages.run_record import Failure

# With less free space than this, a file cannot grow by one block.
_FULL_BYTES = 64 * 1024
_PREFIX = "Limit: "
_NO_SHARED_MEMORY = "multiprocessing/synchronize.py", "multiprocessing/shared_memory.py"


def reached(error: BaseException, tmp: str, free_bytes: int, memory_mb: str) -> str | None:
    """Return a text about the limit that an exception or one of its causes has reached; None if there is none.

    Args:
        error: any exception.
        tmp: path of the folder for temporary files.
        free_bytes: free space in that folder when the exception was raised.
        memory_mb: the function's memory.
    """
    for cause in chain(error):
        if isinstance(cause, MemoryError):
            return f"the function used all of its memory: MemorySize in template.yaml is {memory_mb} MB."
        if text := _of_processes(cause):
            return text
        path = str(getattr(cause, "filename", None) or "a file")
        number = getattr(cause, "errno", None)
        if number == errno.EROFS:
            return f"Lambda's file system is read-only but for /tmp; {path} cannot be written."
        if number in (errno.EACCES, errno.EPERM) and not path.startswith((tmp, "/tmp")):  # noqa: S108
            return f"on Lambda only /tmp is writable, and no process runs as root; {path} cannot be used."
        if number == errno.ENOSPC:
            free_bytes = 0
    if free_bytes < _FULL_BYTES:
        return "/tmp is full: EphemeralStorage in template.yaml sets its size."  # noqa: S108
    return None


def _of_processes(error: BaseException) -> str | None:
    """Return a text about a limit that every Lambda function has."""
    number = getattr(error, "errno", None)
    if number == errno.EMFILE:
        return (
            "Lambda allows 1,024 open files. Close each file, for example with `with xr.open_dataset(path) as data:`."
        )
    if number == errno.EAGAIN or str(error) == "can't start new thread":
        return "Lambda allows 1,024 processes and threads. Use a pool with fewer workers."
    innermost = traceback.extract_tb(error.__traceback__)[-2:]
    if isinstance(error, OSError) and any(frame.filename.endswith(_NO_SHARED_MEMORY) for frame in innermost):
        return (
            "Lambda has no /dev/shm, so multiprocessing has no locks, queues and pools there. Use "
            "concurrent.futures.ThreadPoolExecutor."
        )
    return None


def add_note(error: BaseException, limit: str | None) -> None:
    """Attach the text about a limit to an exception, unless it has one."""
    if limit and not note_of(error):
        error.add_note(_PREFIX + limit)


def note_of(error: BaseException) -> str:
    """Return the limit attached to an exception or to one of its causes; empty if there is none."""
    notes = (text for cause in chain(error) for text in getattr(cause, "__notes__", ()))
    return next((text for text in notes if text.startswith(_PREFIX)), "")


def memory_warning(before_mb: float, peak_mb: float, memory_mb: float) -> str | None:
    """Return a warning if a run exceeded the function's memory where nothing enforces it; None if it did not."""
    if peak_mb <= before_mb or peak_mb <= memory_mb:
        return None
    return f"used {peak_mb:.0f} MB; MemorySize in template.yaml is {memory_mb:.0f} MB: on AWS this run is killed."


def failure_of(error: Exception, phase: str) -> Failure:
    """Return the part of a run record that describes an exception, with the Lambda limit it has reached."""
    text = "".join(traceback.format_exception(error))
    return {
        "type": type(error).__name__,
        "message": "\n".join(filter(None, (str(error) or repr(error), note_of(error), explain(error)))),
        "phase": phase,
        "traceback": text,
    }
