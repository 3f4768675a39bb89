"""A project of its own for the pipelines that the tests make."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.settings import Settings

SAMPLES = Path("data/samples/new").absolute()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of an empty project that is importable while the tests of a file run."""
    root = tmp_path_factory.mktemp("project")
    (root / "pipelines").mkdir()
    (root / "shared").mkdir()
    shutil.copy("shared/storage.yaml", root / "shared")
    path, here, environment = list(sys.path), Path.cwd(), dict(os.environ)
    modules = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in PACKAGES}
    yield Settings.from_env({"RUNNER_ROOT": str(root)})
    os.chdir(here)
    sys.path[:] = path
    for name in [name for name in sys.modules if name.partition(".")[0] in PACKAGES]:
        del sys.modules[name]
    sys.modules.update(modules)
    os.environ.clear()
    os.environ.update(environment)


PACKAGES = ("pipelines", "shared", "utils")
