"""The Lambda runtime of the embedded backend: AWS's runtime interface client, which exits with its emulator.

In the image, AWS's bootstrap has this role, and a container stops all of its processes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from runner.stack import embedded_limits, read_only, role_session
from runner.stack.child import die_with_parent


def main() -> None:
    """Serve the handler named on the command line, with the role whose files are in the folder that follows."""
    die_with_parent()
    embedded_limits.apply()
    read_only.except_for(Path(os.environ["TMPDIR"]), _code())
    from awslambdaric.__main__ import main as serve

    handler, *folders = sys.argv[1:]
    if folders:
        role_session.FOLDER = Path(folders[0])
    serve(["awslambdaric", handler])


def _code() -> list[Path]:
    """Return the task root, and the project to which it has links."""
    task_root = Path(os.environ["LAMBDA_TASK_ROOT"])
    return [task_root, (task_root / "pipelines").resolve().parent]


if __name__ == "__main__":
    main()
