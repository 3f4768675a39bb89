"""Run the tests of a project in another folder, for `scripts/test --project DIR`.

The project's own settings of pytest apply, not those of this checkout. tsdat's template has a runner.py, which must not
hide this package: its folder comes last in the path, and this package is imported before pytest reads its settings.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from runner.cli.output import say
from runner.packages import install
from runner.settings import Settings


def run(settings: Settings, arguments: Sequence[str]) -> int:
    """Run pytest in the project's folder, with the project's own packages, and return its exit code.

    Args:
        settings: of the project.
        arguments: for pytest.

    Raises:
        PackagesError: the project's packages cannot be resolved or installed.
    """
    import pytest

    os.chdir(settings.root)
    sys.path.append(str(settings.root))
    install.use(settings, say)
    # data/state has copies of pipelines, from which the image is built. Each pipeline may have a test_pipeline.py.
    options = ["-p", "runner.testing", "--import-mode=importlib", f"--ignore={settings.data}"]
    return int(pytest.main([*options, *arguments]))
