"""The Lambdas of the embedded backend: AWS's emulator and awslambdaric as child processes, with AWS's environment."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from runner.aws import clients
from runner.stack.child import Child
from runner.stack.ports import free_port
from runner.template.stack_template import StackTemplate

HANDLER = "runner.function.handler.handler"
"""The handler that ships, which the image names."""
LOCAL_HANDLER = "runner.stack.local_handler.handler"
"""The same with hot reload, which both local backends start."""


def child(
    number: int,
    port: int,
    root: Path,
    state: Path,
    template: StackTemplate,
    endpoint_url: str,
    python_arguments: Sequence[str] = ("-m",),
) -> Child:
    """Describe one emulator. It starts a Python runtime at its first invoke, with a folder of its own as /tmp.

    Args:
        number: counts the Lambdas from 1.
        port: where the emulator listens.
        root: the project.
        state: the stack's state folder.
        python_arguments: Python's arguments up to the module's name.
    """
    tmp = state / f"lambda-{number}"
    for leftover in [*tmp.glob("run-*"), *tmp.glob("inputs-*")]:
        shutil.rmtree(leftover, ignore_errors=True)
    tmp.mkdir(parents=True, exist_ok=True)
    argv: list[str | Path] = [
        Path(sys.executable).parent / "aws-lambda-rie", "--log-level", "error",
        "--runtime-interface-emulator-address", f"127.0.0.1:{port}",
        "--runtime-api-address", f"127.0.0.1:{free_port()}",
        sys.executable, *python_arguments, "runner.stack.lambda_runtime", LOCAL_HANDLER,
    ]  # fmt: skip
    env = environment(root, tmp, template, endpoint_url)
    log = state / "logs" / f"lambda-{number}.log"
    # Only pipelines need much CPU time. The processes that move their files must not wait for it.
    return Child(f"Lambda {number}", argv, env, log=log, cwd=root, niceness=10)


def environment(root: Path, tmp: Path, template: StackTemplate, endpoint_url: str) -> dict[str, str]:
    """Return the template's variables and those that Lambda sets, without the developer's own environment."""
    own = {name: f"{tmp}{value[4:]}" if value.startswith("/tmp") else value  # noqa: S108
           for name, value in template.function_environment.items()}  # fmt: skip
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "TMPDIR": str(tmp),
        "PYTHONPATH": str(root),
        **own,
        **clients.local_environment(endpoint_url),
        "LAMBDA_TASK_ROOT": str(root),
    }
