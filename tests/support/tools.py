"""Programs that some tests need: a test asks for them first, and is skipped with the reason where they are missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import NoReturn

import pytest

from tests.support.stacks import ROOT


def unavailable(reason: str) -> NoReturn:
    """Skip the test; on CI, where nothing may be skipped, fail it."""
    if os.environ.get("CI"):
        pytest.fail(f"CI has to run this test, but it {reason}")
    pytest.skip(reason)


def require_program(name: str, advice: str) -> None:
    """Require a program on PATH."""
    if not shutil.which(name):
        unavailable(f"needs {name}: {advice}")


def require_download(*command: str) -> None:
    """Run a command that downloads what the test needs, unless it was downloaded before."""
    environment = dict(os.environ)
    if authority := environment.get("SSL_CERT_FILE"):
        environment.setdefault("NODE_EXTRA_CA_CERTS", authority)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200, check=False)
    if done.returncode:
        unavailable(f"needs a download, and {' '.join(command[:3])} failed: {(done.stdout + done.stderr)[-500:]}")


def require_package_index() -> None:
    """Require the package index, from which a project's packages are installed."""
    require_download(".venv/bin/python", "-m", "pip", "index", "versions", "cmocean", "--quiet")


def require_sam() -> None:
    """Require SAM CLI in its environment."""
    require_download("scripts/environment", "sam")
