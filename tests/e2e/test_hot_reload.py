"""Edits while the stack runs: the next file uses them, without a restart."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import xarray as xr
from conftest import ROOT, SAMPLES, running_on

from runner.backends import Stack
from runner.history import Run

TIDE = next((SAMPLES / "tide_gauge").glob("*/*.log"))


class Edited:
    """A stack on a copy of the project, and what a user does there: save a file, drop a file."""

    def __init__(self, project: Path, stack: Stack, code: Path) -> None:
        self.project, self.stack = project, stack
        self.code = code  # where the Lambda sees the project
        self._dropped = 0

    def edit(self, name: str, old: str, new: str) -> None:
        """Save a file with one text in the place of another."""
        path = self.project / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def drop(self, folder: str = "tide_gauge/mcrl") -> Run:
        """Have the sample processed under a new name, to its end."""
        self._dropped += 1
        key = f"{folder}/{self._dropped}/{TIDE.name}"
        self.stack.put(TIDE, key)
        return self.stack.final(key)

    def dataset(self) -> xr.Dataset:
        """What the next file becomes."""
        run = self.drop()
        assert run.outcome == "succeeded", run.record["error"]
        path = next(path for path in self.stack.mirrored(run) if path.suffix == ".nc")
        with xr.open_dataset(path) as dataset:
            return dataset.load()


@pytest.fixture(scope="module", params=["embedded", "docker"])
def edited(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edited]:
    folder = tmp_path_factory.mktemp("reload")
    project = folder / "project"
    for name in ("pipelines", "shared", "utils"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "template.yaml", project)
    code = project if request.param == "embedded" else Path("/var/task")
    with running_on(request.param, folder / "data", project) as stack:
        yield Edited(project, stack, code)


PIPELINE = "pipelines/tide_gauge/pipeline.py"


def test_an_edit_of_the_pipeline_shows_in_the_next_file(edited: Edited):
    assert "edition" not in edited.dataset().attrs
    edited.edit(PIPELINE, "        return dataset", "        dataset.attrs['edition'] = 'one'\n        return dataset")
    assert edited.dataset().attrs["edition"] == "one"
    edited.edit(PIPELINE, "'one'", "'two'")
    assert edited.dataset().attrs["edition"] == "two"


def test_a_syntax_error_fails_with_its_place_and_the_next_save_heals(edited: Edited):
    edited.edit(PIPELINE, "return dataset", "return (dataset")
    run = edited.drop()
    assert run.outcome == "dead-lettered"
    error = run.record["error"]
    assert error is not None
    assert error["phase"] == "load"
    assert "SyntaxError: '(' was never closed" in error["traceback"]
    assert f'File "{edited.code / PIPELINE}", line' in error["traceback"]
    assert "return (dataset" in error["traceback"]
    edited.edit(PIPELINE, "return (dataset", "return dataset")
    edited.dataset()


def test_an_error_at_run_time_shows_the_new_lines(edited: Edited):
    edited.edit(PIPELINE, "        return dataset", "        assert not 'reached'\n        return dataset")
    error = edited.drop().record["error"]
    assert error is not None
    assert "    assert not 'reached'" in error["traceback"]
    edited.edit(PIPELINE, "        assert not 'reached'\n", "")
    edited.dataset()


def test_edits_of_yaml_shared_and_utils_show(edited: Edited):
    edited.edit("pipelines/tide_gauge/config/dataset.yaml", "title: Tide gauge at", "title: Gauge at")
    assert edited.dataset().attrs["title"].startswith("Gauge at")
    (edited.project / "utils" / "names.py").write_text("NAME = 'from utils'\n")
    (edited.project / "shared" / "labels.py").write_text("from utils.names import NAME as LABEL\n")
    edited.edit(PIPELINE, "        return dataset", "        dataset.attrs['edition'] = LABEL\n        return dataset")
    edited.edit(PIPELINE, "from .plots", "from shared.labels import LABEL\n\nfrom .plots")
    assert edited.dataset().attrs["edition"] == "from utils"
    edited.edit("utils/names.py", "from utils", "from a new")
    assert edited.dataset().attrs["edition"] == "from a new"
    edited.edit("shared/labels.py", "from utils.names import NAME as LABEL", "LABEL = 'shared'")
    assert edited.dataset().attrs["edition"] == "shared"


def test_a_pipeline_that_is_new_takes_the_next_file(edited: Edited):
    old, new = edited.project / "pipelines" / "tide_gauge", edited.project / "pipelines" / "newcomer"
    shutil.copytree(old, new, ignore=shutil.ignore_patterns("__pycache__"))
    config = new / "config" / "pipeline.yaml"
    config.write_text(config.read_text().replace("tide_gauge", "newcomer").replace(".*tide_", ".*fresh_"))
    key = f"anywhere/fresh_{TIDE.name.partition('_')[2]}"
    edited.stack.put(TIDE, key)
    run = edited.stack.final(key)
    assert run.record["pipeline"] == "newcomer"
    edited.edit("pipelines/newcomer/config/pipeline.yaml", ".*fresh_", ".*fresher_")
    again = f"elsewhere/fresh_{TIDE.name.partition('_')[2]}"
    edited.stack.put(TIDE, again)
    assert edited.stack.final(again).outcome == "skipped"


def test_routes_that_are_not_valid_fail_the_run_and_heal(edited: Edited):
    edited.edit("pipelines/routes.yaml", r"'buoy\.", r"'(buoy\.")
    run = edited.drop()
    error = run.record["error"]
    assert error is not None
    assert (run.outcome, error["phase"], error["type"]) == ("dead-lettered", "route", "RoutingError")
    assert "pipelines.a2e_buoy_ingest" in error["message"]
    assert "is not a regular expression" in error["message"]
    edited.edit("pipelines/routes.yaml", r"'(buoy\.", r"'buoy\.")
    edited.dataset()
