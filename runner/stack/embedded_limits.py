"""Gives the process of the embedded Lambda the limits of a Lambda function that a container gives the others.

At most 1,024 file descriptors, 1,024 processes and threads, and no shared memory. See "Lambda quotas", AWS Lambda
Developer Guide. RLIMIT_NPROC cannot be used: it counts all processes of the user. Python before 3.13 does not report
the start of a thread, so there only processes are limited.
"""

from __future__ import annotations

import _multiprocessing
import errno
import os
import resource
import sys
from pathlib import Path
from typing import Any, NoReturn

MOST = 1024
_STARTS_THREAD = ("_thread.start_new_thread", "_thread.start_joinable_thread")
_STARTS_PROCESS = ("os.fork", "os.forkpty", "os.posix_spawn", "subprocess.Popen")


def apply() -> None:
    """Limit this process and the processes that it starts."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (MOST, MOST))
    _multiprocessing.SemLock = _NoSemaphore
    sys.addaudithook(refuse_too_many)


class _NoSemaphore(_multiprocessing.SemLock):  # type: ignore[misc]
    """What semaphores do where there is no /dev/shm."""

    def __new__(cls, *_: object, **__: object) -> NoReturn:
        """Raise OSError."""
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


def refuse_too_many(event: str, _: tuple[Any, ...]) -> None:
    """Raise what the kernel leads to when a thread or process is one too many; an audit hook."""
    if event in _STARTS_THREAD:
        if _threads() >= MOST:
            raise RuntimeError("can't start new thread")
    elif event in _STARTS_PROCESS and _threads() + _children() >= MOST:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def _threads() -> int:
    return Path("/proc/self/task").stat().st_nlink - 2  # a folder for each


def _children() -> int:
    return sum(len(path.read_text().split()) for path in Path("/proc/self/task").glob("*/children"))
