"""What one entry of the inbox is: a file with its state, or why it cannot be taken."""

from __future__ import annotations

import errno
import os
import stat

from runner.state.inbox_problems import Problem
from runner.state.uploads import Stamp

Found = Stamp | Problem

_KINDS = {
    stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, for example
        return False


def found_in(entry: os.DirEntry[str]) -> Found | None:
    """Return the state of a file, or why it is not taken; None if it is gone."""
    try:
        status = entry.stat()
    except OSError as error:
        return _without_status(entry, error)
    return stamp_of(status) or Problem(
        f"it is {_KINDS.get(stat.S_IFMT(status.st_mode), 'something else')}, not a regular file. "
        "Write its contents to one, and remove it here."
    )


def stamp_of(status: os.stat_result) -> Stamp | None:
    """Return the state of a regular file; None for anything else."""
    if not stat.S_ISREG(status.st_mode):
        return None
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def unlistable(error: OSError) -> Problem | None:
    """Return what is wrong with a folder that cannot be listed; nothing if it is gone."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return None
    return Problem(f"it cannot be listed: {error.strerror}. Its files are taken when it can be.", is_refused=False)


def unreadable(error: OSError) -> Problem:
    """Return what is wrong with a file that cannot be read."""
    return Problem(f"it cannot be read: {error.strerror}. It is taken when it can be.", is_refused=False)


def _without_status(entry: os.DirEntry[str], error: OSError) -> Problem | None:
    if error.errno == errno.ELOOP:
        return Problem("it is a link that leads back to itself. Remove it.")
    if error.errno not in (errno.ENOENT, errno.ENOTDIR):
        return unreadable(error)
    try:
        target = os.readlink(entry.path)  # noqa: PTH115
    except OSError:
        return None
    return Problem(
        f"it is a link to {target}, where the stack finds nothing. Correct the link, or put the file here. "
        "With Docker, a link can only lead to a place inside the data folder."
    )
