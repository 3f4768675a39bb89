"""The Lambdas of the embedded backend: AWS's emulator and awslambdaric as child processes, with AWS's environment."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from runner.aws import clients
from runner.stack import build_variables, lambda_python, task_root
from runner.stack.child import Child
from runner.stack.ports import private_address
from runner.template.stack_template import StackTemplate

HANDLER = "runner.function.handler.handler"
"""The handler that ships, which the image names."""
LOCAL_HANDLER = "runner.stack.local_handler.handler"
"""The same with hot reload, which both local backends start."""


def child(
    number: int,
    address: str,
    root: Path,
    state: Path,
    template: StackTemplate,
    endpoint_url: str,
    python_arguments: Sequence[str] = ("-m",),
    packages: Sequence[Path] = (),
) -> Child:
    """Describe one emulator. It starts a Python runtime at its first invoke, with its own folder as /tmp.

    Args:
        number: counts the Lambdas from 1.
        address: HOST:PORT where the emulator listens.
        root: the project.
        state: the stack's state folder.
        python_arguments: Python's arguments up to the module's name.
        packages: folders of packages that the function's own environment does not have.
    """
    tmp = _neutral(state / f"lambda-{number}")
    for leftover in [*tmp.glob("run-*"), *tmp.glob("inputs-*")]:
        shutil.rmtree(leftover, ignore_errors=True)
    argv: list[str | Path] = [
        Path(sys.executable).parent / "aws-lambda-rie", "--log-level", "error",
        "--runtime-interface-emulator-address", address,
        "--runtime-api-address", private_address(),
        lambda_python.INTERPRETER, "-P", *python_arguments, "runner.stack.lambda_runtime", LOCAL_HANDLER,
        state / "role",
    ]  # fmt: skip
    env = _code_version(root) | environment(task_root.build(task_root.of(state), root), tmp, template, endpoint_url)
    env["PYTHONPATH"] = os.pathsep.join(map(str, [env["LAMBDA_TASK_ROOT"], *packages]))
    log = state / "logs" / f"lambda-{number}.log"
    # Only pipelines need much CPU time. The processes that move their files must not wait for it.
    # The emulator cannot start in a folder with a # in its path. The handler changes to the task root.
    return Child(f"Lambda {number}", argv, env, log=log, cwd=Path("/"), niceness=10)


@functools.cache
def _code_version(root: Path) -> dict[str, str]:
    """Return the variable that the image has, because the task root need not lie in the project's Git repository."""
    known = build_variables.with_code_version(root)
    return {"CODE_VERSION": known.get("CODE_VERSION", "N/A")}


def _neutral(folder: Path) -> Path:
    """Return a short link to a folder, so that no reader's pattern matches the name of the project or its data.

    Inputs lie below it, and tsdat chooses readers by the complete path. On AWS it is /tmp.
    """
    folder.mkdir(parents=True, exist_ok=True)
    link = Path(tempfile.gettempdir(), f"lambda-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}")
    try:
        link.unlink(missing_ok=True)
        link.symlink_to(folder)
    except OSError:  # it belongs to another user
        return folder
    return link


def environment(root: Path, tmp: Path, template: StackTemplate, endpoint_url: str) -> dict[str, str]:
    """Return the template's variables and those that Lambda sets, without the developer's own environment."""
    own = {name: f"{tmp}{value[4:]}" if value.startswith("/tmp") else value  # noqa: S108
           for name, value in template.function_environment.items()}  # fmt: skip
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "TMPDIR": str(tmp),
        **own,
        **clients.local_environment(endpoint_url),
        "LAMBDA_TASK_ROOT": str(root),
    }
