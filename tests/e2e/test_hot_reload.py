"""Edits while the stack runs: the next file uses them, without a restart."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import xarray as xr

from runner.state.runs import Run
from runner.testing.stacks import Stack
from tests.support.stacks import ROOT, SAMPLES, running_on

TIDE = next((SAMPLES / "tide_gauge").glob("*/*.log"))
TIDE_GAUGE = "pipelines/tide_gauge"
PIPELINE = f"{TIDE_GAUGE}/pipeline.py"


class Edited:
    """A stack on a copy of the project, in which files are edited and dropped."""

    def __init__(self, project: Path, stack: Stack, code: Path) -> None:
        self.project, self.stack = project, stack
        self.code = code  # the project's folder in the Lambda
        self._dropped = 0

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text in a file."""
        path = self.project / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def copy(self, gauge: str) -> None:
        """Add a copy of the tide gauge's pipeline for files whose names begin with `gauge`."""
        new = self.project / "pipelines" / gauge
        shutil.copytree(self.project / TIDE_GAUGE, new, ignore=shutil.ignore_patterns("__pycache__"))
        for path in (new / "config").glob("*.yaml"):
            path.write_text(path.read_text().replace("tide_gauge", gauge).replace(".*tide_", f".*{gauge}_"))
        self.edit(f"pipelines/{gauge}/readers.py", '"tide_%', f'"{gauge}_%')

    def drop(self, *gauges: str) -> list[Run]:
        """Drop the sample under a new name for each gauge, and return the final runs."""
        self._dropped += 1
        keys = [f"{gauge}/{self._dropped}/{gauge}_{TIDE.name.partition('_')[2]}" for gauge in gauges]
        for key in keys:
            self.stack.put(TIDE, key)
        return [self.stack.final(key) for key in keys]

    def dataset(self) -> xr.Dataset:
        """Drop a file and return its dataset."""
        (run,) = self.drop("tide")
        return self.made(run)

    def made(self, run: Run) -> xr.Dataset:
        """Return the dataset of a run."""
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
    code = folder / "data/state/task-root" if request.param == "embedded" else Path("/var/task")
    with running_on(request.param, folder / "data", project) as stack:
        yield Edited(project, stack, code)


@dataclass
class Broken:
    """Runs after edits that broke two pipelines, and runs after both were fixed."""

    syntax: Run
    run_time: Run
    fixed: list[Run]


@pytest.fixture(scope="module")
def broken(edited: Edited) -> Broken:
    """Break two pipelines at once, so that their attempts run at the same time."""
    edited.copy("late")
    late = "pipelines/late/pipeline.py"
    runs = edited.drop("tide", "late")  # so that the old lines are cached
    assert [run.outcome for run in runs] == ["succeeded", "succeeded"]
    edited.edit(PIPELINE, "return dataset", "return (dataset")
    edited.edit(late, "        return dataset", "        assert not 'reached'\n        return dataset")
    syntax, run_time = edited.drop("tide", "late")
    edited.edit(PIPELINE, "return (dataset", "return dataset")
    edited.edit(late, "        assert not 'reached'\n", "")
    return Broken(syntax, run_time, edited.drop("tide", "late"))


def test_an_edit_of_the_pipeline_shows_in_the_next_file(edited: Edited):
    assert "edition" not in edited.dataset().attrs
    edited.edit(PIPELINE, "        return dataset", "        dataset.attrs['edition'] = 'one'\n        return dataset")
    assert edited.dataset().attrs["edition"] == "one"
    edited.edit(PIPELINE, "'one'", "'two'")
    assert edited.dataset().attrs["edition"] == "two"


def test_a_syntax_error_fails_with_its_place_until_the_next_edit(edited: Edited, broken: Broken):
    assert broken.syntax.outcome == "dead-lettered"
    error = broken.syntax.record["error"]
    assert error is not None
    assert error["phase"] == "load"
    assert "SyntaxError: '(' was never closed" in error["traceback"]
    assert f'File "{edited.code / PIPELINE}", line' in error["traceback"]
    assert "return (dataset" in error["traceback"]
    edited.made(broken.fixed[0])


def test_an_error_at_run_time_shows_the_new_lines(edited: Edited, broken: Broken):
    error = broken.run_time.record["error"]
    assert error is not None
    assert "    assert not 'reached'" in error["traceback"]
    edited.made(broken.fixed[1])


def test_edits_of_yaml_shared_and_utils_show_in_the_next_file(edited: Edited):
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


def test_a_new_pipeline_takes_the_next_file(edited: Edited):
    edited.copy("fresh")
    (run,) = edited.drop("fresh")
    assert (run.outcome, run.record["pipeline"]) == ("succeeded", "fresh")
    edited.edit("pipelines/fresh/config/pipeline.yaml", ".*fresh_", ".*fresher_")
    (run,) = edited.drop("fresh")
    assert run.outcome == "skipped"


def test_invalid_routes_fail_the_run_until_the_next_edit(edited: Edited):
    edited.edit("pipelines/routes.yaml", r"'buoy\.", r"'(buoy\.")
    (run,) = edited.drop("tide")
    error = run.record["error"]
    assert error is not None
    assert (run.outcome, error["phase"], error["type"]) == ("dead-lettered", "route", "RoutingError")
    assert "pipelines.a2e_buoy_ingest" in error["message"]
    assert "is not a regular expression" in error["message"]
    edited.edit("pipelines/routes.yaml", r"'(buoy\.", r"'buoy\.")
    edited.dataset()
