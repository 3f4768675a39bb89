"""Makes the file system read-only for the embedded Lambda, except for its /tmp, as it is on AWS.

A pipeline that writes its products into the working directory would succeed here and fail there. A hook of the
interpreter sees every file that Python code opens, creates or removes; a library in C that opens a file itself is not
seen.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC
# Audit events, with the indexes of the path that is written to and of the folder's descriptor that it is relative to.
_CHANGES: dict[str, tuple[int, int | None]] = {
    "os.mkdir": (0, 2), "os.remove": (0, 1), "os.rmdir": (0, 1), "os.rename": (1, 3), "os.link": (1, 3),
    "os.symlink": (1, 2), "os.truncate": (0, None), "sqlite3.connect": (0, None),
}  # fmt: skip


def except_for(tmp: Path, code: Sequence[Path]) -> None:
    """Refuse writes from now on, in this process.

    Args:
        tmp: the Lambda's own /tmp.
        code: folders that are read-only even if they are below this machine's /tmp.
    """
    sys.addaudithook(hook(tmp, code))


def hook(tmp: Path, code: Sequence[Path]) -> Callable[[str, tuple[Any, ...]], None]:
    """Return the audit hook.

    It raises OSError with EROFS for a path that AWS would not let the function write to.
    """
    own, roots = _inside(tmp), tuple(map(_inside, code))
    shared = tuple(_inside(Path(name)) for name in ("/tmp", "/dev"))  # noqa: S108

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        folder: int | None = None
        if event == "open":
            path, flags = arguments[0], arguments[2]
            if not isinstance(flags, int) or not flags & _WRITES:
                return
        elif event in _CHANGES:
            at, at_folder = _CHANGES[event]
            path, folder = arguments[at], None if at_folder is None else arguments[at_folder]
        else:
            return
        if isinstance(path, int) or path in (":memory:", b":memory:"):
            return
        base = f"/proc/self/fd/{folder}" if folder is not None and folder >= 0 else ""
        real = os.path.realpath(os.path.join(base, os.fsdecode(path))) + os.sep  # noqa: PTH118
        if real.startswith(own) or (not real.startswith(roots) and real.startswith(shared)):
            return
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), os.fspath(path))

    return refuse


def _inside(folder: Path) -> str:
    return str(folder.resolve()) + os.sep
