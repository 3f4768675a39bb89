"""The task root of the embedded Lambda: links to what the image has in /var/task, and to nothing else.

A pipeline that opens a file beside its project's `pipelines`, or imports a module from there, fails here as it does
on AWS.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from runner.settings import CHECKOUT
from runner.stack.hot_reload import PACKAGES

SHIPPED = ("__init__.py", "errors.py", "messages", "aws", "function")
"""The parts of the runner that the Dockerfile copies into the image."""
_LOCAL = (
    "child.py", "embedded_limits.py", "hot_reload.py", "lambda_description.py", "lambda_runtime.py", "local_handler.py",
    "read_only.py", "role_session.py",
)  # fmt: skip


def of(state: Path) -> Path:
    """Return where a stack's task root is."""
    return state / "task-root"


def build(folder: Path, project: Path) -> Path:
    """Bring a task root up to date, and return its folder.

    A folder that the project does not have is linked all the same, because it may come.
    """
    (folder / "runner/stack").mkdir(parents=True, exist_ok=True)
    for name in PACKAGES:
        _link(folder / name, project / name)
    for name in [*SHIPPED, *(f"stack/{name}" for name in _LOCAL)]:
        _link(folder / "runner" / name, CHECKOUT / "runner" / name)
    return folder


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    if link.is_dir() and not link.is_symlink():  # the data folder was copied without its links
        shutil.rmtree(link)
    link.unlink(missing_ok=True)
    link.symlink_to(target)
