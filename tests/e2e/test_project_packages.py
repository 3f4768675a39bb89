"""A project's own packages: locked, installed and used, with Zarr, which is not among the runner's packages."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.testing.stacks import environment
from tests.support import roof_project
from tests.support.stacks import Supervised, running
from tests.support.tools import require_package_index

PIPELINE = """import pandas as pd
import zarr
from tsdat import IngestPipeline


class Roof(IngestPipeline):
    def hook_plot_dataset(self, dataset):
        times = pd.to_datetime(dataset["time"].values)
        stored = self.storage.fetch_data(times[0], times[-1], datastream=dataset.attrs["datastream"])
        assert stored["wind_speed"].values.tolist() == dataset["wind_speed"].values.tolist()
        assert zarr.__file__.count(".venv-projects")
"""
ZARR = "classname: tsdat.io.storage.FileSystemS3\nhandler: {classname: tsdat.io.handlers.ZarrHandler}\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_package_index()
    files = {"requirements.txt": "# for the archive\nZarr  # any\n", "shared/storage.yaml": ZARR,
             # tsdat's quality attributes are numpy numbers, which zarr 3 cannot store.
             f"{roof_project.CONFIG}/quality.yaml": "managers: []\n"}  # fmt: skip
    return roof_project.make(tmp_path_factory.mktemp("packages") / "roof", PIPELINE, **files)


@pytest.fixture(scope="module")
def stack(project: Path) -> Iterator[Supervised]:
    with running(project / "data", RUNNER_ROOT=str(project)) as stack:
        yield stack


def test_a_zarr_store_is_read_back_and_mirrored_as_a_folder(stack: Supervised):
    stack.put(roof_project.csv(), "roof.20240501.csv")
    found = stack.final("roof.20240501.csv")
    assert found.record["error"] is None
    (folder,) = {next(path for path in file.parents if path.suffix == ".zarr") for file in stack.mirrored(found)}
    metadata = json.loads((folder / "zarr.json").read_text())
    assert metadata["attributes"]["location_id"] == "lab"


def test_the_lock_lists_only_what_the_project_adds_with_hashes(stack: Supervised, project: Path):
    text = (project / "requirements.lock").read_text()
    assert "\nzarr==" in text
    assert "--hash=sha256:" in text
    assert "numpy==" not in text
    assert "://" not in text


def runner(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "runner", *arguments]
    variables = {name: value for name, value in environment().items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, timeout=100, check=False)


def test_a_missing_package_is_named_and_added(tmp_path: Path):
    require_package_index()
    project = roof_project.make(tmp_path / "roof", f"import wheel_inspect_no_such\n{roof_project.PLAIN}")
    done = runner(project, "check")
    assert "Add `wheel-inspect-no-such` to requirements.txt, or run `runner add wheel-inspect-no-such`." in done.stdout
    refused = runner(project, "add", "wheel-inspect-no-such")
    assert refused.returncode == 2
    assert "was not found in the package registry" in " ".join(refused.stderr.split())
    assert not (project / "requirements.txt").exists()
    (project / roof_project.PIPELINE_FILE).write_text(f"import cmocean\n{roof_project.PLAIN}")
    assert "runner add cmocean" in runner(project, "check").stdout
    added = runner(project, "add", "cmocean>=3")
    assert "✔ cmocean>=3" in added.stdout, added.stderr
    assert (project / "requirements.txt").read_text() == "cmocean>=3\n"
    assert "✔ no problems" in runner(project, "check").stdout


def test_a_conflict_names_the_line_and_the_pin(tmp_path: Path):
    require_package_index()
    project = roof_project.make(tmp_path / "roof", **{"requirements.txt": "gsw\nxarray<2023\n"})
    done = runner(project, "ingest", "runner.py")
    assert done.returncode == 2
    assert "requirements.txt:2: xarray<2023 contradicts xarray==" in " ".join(done.stderr.split())
