"""`scripts/test --project DIR` runs the tests that tsdat's template writes, in the project's folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from runner.testing.stacks import environment
from tests.support import roof_project
from tests.support.stacks import ROOT

TEST = """import warnings
from pathlib import Path

from tsdat import PipelineConfig
from utils.heights import HEIGHT_M


def test_roof_pipeline():
    warnings.warn("of a package that the project uses", DeprecationWarning)
    pipeline = PipelineConfig.from_yaml(Path("pipelines/roof/config/pipeline.yaml")).instantiate_pipeline()
    dataset = pipeline.run(["pipelines/roof/test/data/input/roof.20240501.csv"])
    assert dataset["wind_speed"].values.tolist()[0] == 3.1
    assert HEIGHT_M == 12
"""
OTHER = "def test_yard_pipeline():\n    import pipelines.roof.pipeline\n"
# Copies from which the image is built; and a module that tsdat's template has, which must not hide the runner.
TRAP = "raise SystemExit('this module must not be imported')\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = roof_project.make(
        tmp_path_factory.mktemp("tests") / "My roof #1",
        **{
            "pipelines/roof/test/test_pipeline.py": TEST,
            "pipelines/roof/test/data/input/roof.20240501.csv": roof_project.csv().decode(),
            "pipelines/yard/test/test_pipeline.py": OTHER,
            "utils/__init__.py": "",
            "utils/heights.py": "HEIGHT_M = 12\n",
            "data/state/image/pipelines/roof/test_pipeline.py": TRAP,
            "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["."]\n',
        },
    )
    assert "SystemExit" in (project / "runner.py").read_text()
    return project


def run_tests(*arguments: str | Path, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "scripts/test"), *map(str, arguments)]
    plain = {name: value for name, value in environment(**variables).items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd=cwd, env=plain, capture_output=True, text=True, check=False)


def test_the_tests_of_all_pipelines_pass_and_deprecations_are_no_errors(project: Path):
    done = run_tests("--project", project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed, 1 warning" in done.stdout


def test_arguments_go_to_pytest_and_paths_are_relative_to_the_project(project: Path):
    done = run_tests("-q", "pipelines/yard", RUNNER_ROOT=str(project))
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout + done.stderr
    done = run_tests("-k", "nothing", cwd=project)  # the current folder is the project
    assert (done.returncode, "2 deselected" in done.stdout) == (5, True), done.stdout + done.stderr


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path):
    done = run_tests("--project", tmp_path)
    assert done.returncode == 2
    assert f"{tmp_path} is not a project: it has no folder `pipelines`." in done.stderr
