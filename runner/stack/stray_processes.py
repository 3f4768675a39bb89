"""Ends processes that a pipeline has started and left behind, such as one in a session of its own.

They are recognized by the task root in their environment, which they have inherited from the Lambda.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path


def end(task_root: Path) -> None:
    """Kill every process that was started below the Lambdas with this task root."""
    variable = b"LAMBDA_TASK_ROOT=" + os.fsencode(task_root)
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # another user's, or it has just exited
            if variable in environment.read_bytes().split(b"\0"):
                os.kill(int(environment.parent.name), signal.SIGKILL)
