"""The variables of image builds: from .env and the shell, and the code version from the project's Git repository."""

from __future__ import annotations

import contextlib
import os
from collections import ChainMap
from pathlib import Path

from runner.settings import CHECKOUT


def of(root: Path) -> dict[str, str]:
    """Return the variables of the checkout's .env, overridden by those of the project's and of the shell."""
    files = [folder / ".env" for folder in (CHECKOUT, root)]
    return dict(ChainMap({**os.environ}, *(dotenv(file.read_text()) for file in reversed(files) if file.exists())))


def with_code_version(root: Path) -> dict[str, str]:
    """Return the same with CODE_VERSION, which tsdat writes into outputs; the image has no repository to read.

    Without a repository that has a commit, it is not set, and outputs have N/A.
    """
    from dunamai import Style, Version  # what tsdat uses; it reads the repository of the working directory

    known = of(root)
    if "CODE_VERSION" not in known:
        with contextlib.suppress(RuntimeError, ValueError, OSError), contextlib.chdir(root):
            known["CODE_VERSION"] = Version.from_git().serialize(dirty=True, style=Style.SemVer)
    return known


def dotenv(text: str) -> dict[str, str]:
    """Return the variables of a .env file, parsed as compose parses plain lines."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("'\"") for name, value in pairs}
