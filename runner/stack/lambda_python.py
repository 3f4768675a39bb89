"""The environment of the embedded Lambda: the packages that ship, and nothing else. scripts/setup creates it."""

from __future__ import annotations

from pathlib import Path

from runner.settings import CHECKOUT
from runner.template.runtime import PYTHON

_ENVIRONMENT = CHECKOUT / ".venv-lambda"
INTERPRETER = _ENVIRONMENT / "bin/python"
DEBUGGER = _ENVIRONMENT / "debugger"
"""debugpy, which the image does not have."""


def notice() -> str:
    """Return a line that says that the Lambda has another Python than on AWS; empty if it has the same."""
    found = next((path.name for path in (_ENVIRONMENT / "lib").glob("python3.*")), PYTHON)
    if found == PYTHON:
        return ""
    return (
        f"The Lambda runs {found} here, and {PYTHON} on AWS. Install {PYTHON}, delete .venv-lambda and run "
        "scripts/setup to use it."
    )


def modules(*folders: Path | None) -> set[str]:
    """Return the names of the top-level modules that the Lambda can import, with those in further folders."""
    installed = (_ENVIRONMENT / "lib").glob("python3.*/site-packages")
    return {path.name.partition(".")[0] for folder in [*installed, *folders] if folder for path in folder.iterdir()}
