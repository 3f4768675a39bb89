"""Embedded Lambdas: the genuine emulator and awslambdaric as child processes, in an environment as AWS would give."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

from runner import aws
from runner.supervisor import Child
from runner.template import StackTemplate

HANDLER = "runner.handler.handler"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def child(number: int, port: int, root: Path, state: Path, template: StackTemplate, endpoint_url: str) -> Child:
    """One emulator, which starts one Python runtime at its first invoke; its /tmp is a folder of its own."""
    tmp = state / f"lambda-{number}"
    for leftover in [*tmp.glob("run-*"), *tmp.glob("inputs-*")]:
        shutil.rmtree(leftover, ignore_errors=True)
    tmp.mkdir(parents=True, exist_ok=True)
    argv: list[str | Path] = [
        Path(sys.executable).parent / "aws-lambda-rie", "--log-level", "error",
        "--runtime-interface-emulator-address", f"127.0.0.1:{port}",
        "--runtime-api-address", f"127.0.0.1:{free_port()}",
        sys.executable, "-m", "runner.bootstrap", HANDLER,
    ]  # fmt: skip
    env = environment(root, tmp, template, endpoint_url)
    return Child(f"Lambda {number}", argv, env, log=state / "logs" / f"lambda-{number}.log", cwd=root)


def environment(root: Path, tmp: Path, template: StackTemplate, endpoint_url: str) -> dict[str, str]:
    """The template's variables and those that Lambda sets; nothing else of the developer's own environment."""
    own = {name: f"{tmp}{value[4:]}" if value.startswith("/tmp") else value  # noqa: S108
           for name, value in template.environment.items()}  # fmt: skip
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "TMPDIR": str(tmp),
        "PYTHONPATH": str(root),
        **own,
        **aws.local_environment(endpoint_url),
        "LAMBDA_TASK_ROOT": str(root),
        "AWS_LAMBDA_FUNCTION_NAME": template.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(template.memory_mb),
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(template.function_timeout_s),
    }
