"""One edit of a good project for each kind of mistake: the file, the line and the text, and no other problem."""

# ruff: noqa: E501  a row for each mistake
from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.diagnostics import project, with_data
from runner.diagnostics.problem import Problem
from runner.function import pipeline
from runner.settings import Settings
from tests.support import roof_project

CONFIG = roof_project.CONFIG
PIPELINE, RETRIEVER, DATASET, QUALITY = (
    f"{CONFIG}/{name}.yaml" for name in ("pipeline", "retriever", "dataset", "quality")
)
CODE, STORAGE = roof_project.PIPELINE_FILE, "shared/storage.yaml"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The good project; its modules are forgotten after the test."""
    monkeypatch.setattr(os, "environ", {**os.environ, "TSDAT_S3_BUCKET_NAME": "outputs"})
    kept = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in pipeline.PACKAGES}
    pipeline.forget(kept)
    pipeline.built.clear()
    folder, path = Path.cwd(), sys.path[:]
    yield roof_project.make(tmp_path / "project")
    os.chdir(folder)
    sys.path[:] = path
    pipeline.forget(list(sys.modules))
    pipeline.built.clear()
    sys.modules.update(kept)


def problems(root: Path) -> list[Problem]:
    return project.check(replace(Settings.from_env({}), root=root, data=root / "data"))


def edit(root: Path, file: str, old: str, new: str) -> int:
    """Replace a text that is in the file, and return the number of its line."""
    path = root / file
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{old} is not in {file}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


MISTAKES = [
    # YAML
    (PIPELINE, "triggers:", "triggers: [", 1, "is not valid YAML"),
    (DATASET, "  title: Roof", "\ttitle: Roof", 0, "Indent with spaces, not with tabs."),
    (DATASET, "  title: Roof\n", "  title: Roof\n  title: Other\n", 1, "'title' is there twice"),
    # keys
    (PIPELINE, "quality:", "qualty:", 0, "unknown key 'qualty': it has no effect. Did you mean 'quality'?"),
    (DATASET, "    dims: [time]\n    dtype: float\n", "    dim: [time]\n    dtype: float\n", 0,
     "unknown key 'dim'. Did you mean 'dims'?"),
    (DATASET, "    dtype: float\n    attrs:\n      units: degC", "    attrs:\n      units: degC", -2,
     "data_vars.air_temperature has no 'dtype', such as float, int or str"),
    (RETRIEVER, "data_converters:\n      - classname: tsdat.io.converters.UnitsConverter", "data_converter:\n      - "
     "classname: tsdat.io.converters.UnitsConverter", 0, "unknown key 'data_converter': it has no effect. Did you mean"),
    (QUALITY, "    apply_to:", "    aply_to:", 0, "unknown key 'aply_to'. Did you mean 'apply_to'?"),
    # classes
    (PIPELINE, "pipelines.roof.pipeline.Roof", "pipelines.roof.pipeline.Rof", 0,
     "pipelines.roof.pipeline has no class 'Rof'. Did you mean 'Roof'?"),
    (PIPELINE, "pipelines.roof.pipeline.Roof", "pipelines.roof.pipline.Roof", 0,
     "there is no module 'pipelines.roof.pipline'. Did you mean 'pipeline'?"),
    (RETRIEVER, "readers.CSVReader", "readers.CsvReader", 0,
     "tsdat.io.readers has no class 'CsvReader'. Did you mean 'CSVReader'?"),
    (RETRIEVER, "tsdat.io.converters.StringToDatetime", "tsdat.io.convertrs.StringToDatetime", 0,
     "there is no module 'tsdat.io.convertrs'. Did you mean 'converters'?"),
    (QUALITY, "checkers.CheckValidRangeMin", "checkers.CheckValidRangeMinimum", 0, "has no class 'CheckValidRangeMinimum'"),
    (QUALITY, "checkers.CheckValidRangeMin", "handlers.FailPipeline", 0, "is no QualityChecker, which this place requires"),
    (STORAGE, "FileSystem", "FileSytem", 0, "tsdat.io.storage has no class 'FileSytem'. Did you mean 'FileSystem'?"),
    (STORAGE, "FileSystem", "ZarrLocalStorage", 0, "ZarrLocalStorage writes to the local disk"),
    # types, units and names
    (DATASET, "dtype: float\n    attrs:\n      units: degC", "dtype: flot\n    attrs:\n      units: degC", 0,
     "'flot' is no type of numpy. Did you mean 'float'?"),
    (DATASET, "units: m/s", "units: meterz", 0, "'meterz' is no unit that tsdat knows"),
    (DATASET, "      units: m/s\n", "", -1, "wind_speed has no units. Add them"),
    (RETRIEVER, "input_units: degF", "input_units: m/s", 0, "'m/s' cannot be converted to 'degC'"),
    (RETRIEVER, "input_units: degF", "input_units: degFF", 0, "'degFF' is no unit that tsdat knows"),
    (RETRIEVER, "    name: wind\n", "    name: wind_mph\n", 0, "'wind_mph' seems to be in mph, and the dataset's units are m/s"),
    (RETRIEVER, "    name: wind\n", "    name: Wind [km/h]\n", 0, "'Wind [km/h]' seems to be in km/h"),
    (DATASET, "data_level: b1", "data_level: B-1", 0, "data_level is 'B-1'. Write a letter and a digit"),
    (DATASET, "location_id: lab", "location_id: my lab", 0, "location_id is 'my lab'. Write only letters"),
    (DATASET, "dataset_name: roof", "dataset_name: Roof-1", 0, "dataset_name is 'Roof-1'. Write at least two lowercase"),
    (DATASET, "  title: Roof", "  title: '{{ cookiecutter.title }}'", 0, "the placeholder {{ cookiecutter is not filled in"),
    # variables
    (RETRIEVER, "  wind_speed:", "  wind_sped:", 0, "'wind_sped' is not in the dataset"),
    (QUALITY, "[DATA_VARS]", "[wind_sped]", 0, "apply_to names 'wind_sped', which is not in the dataset. Did you mean"),
    (QUALITY, "    apply_to: [DATA_VARS]", "    apply_to: [DATA_VARS]\n    exclude: [tme]", 1, "exclude names 'tme'"),
    # files and patterns
    (PIPELINE, "config/dataset.yaml", "config/datset.yaml", 0, "there is no file pipelines/roof/config/datset.yaml. Did you"),
    (PIPELINE, r".*roof\.\d{8}.*\.csv", r".*roof(\.\d{8}", 0, "is not a regular expression"),
    (PIPELINE, "  path: pipelines/roof/config/dataset.yaml\n",
     "  path: pipelines/roof/config/dataset.yaml\n  overrides:\n    /attrs/titel/x: y\n", 2, "leads to nothing in"),
    (PIPELINE, "  path: pipelines/roof/config/dataset.yaml\n",
     "  path: pipelines/roof/config/dataset.yaml\n  overrides:\n    /attrs/data_level: B!\n", 2, "data_level is 'B!'"),
    # code
    (CODE, "    pass\n", "    def hook_customize_dataset(self, dataset):\n        dataset['x'] = 1\n", 0,
     "hook_customize_dataset returns nothing, so the dataset is lost. End it with: return dataset"),
    (CODE, "from tsdat import IngestPipeline", "from tsdat import IngestPipeline\nimport no_such_package", None,
     "no_such_package, which is not installed. Add `no-such-package` to requirements.txt"),
    (CODE, "    pass\n", "    def broken(self\n", None, "SyntaxError"),
]  # fmt: skip


def test_the_good_project_has_no_problem(root: Path):
    assert problems(root) == []


@pytest.mark.parametrize(("file", "old", "new", "line", "text"), MISTAKES)
def test_a_mistake_is_named_with_its_file_and_line(
    root: Path, file: str, old: str, new: str, line: int | None, text: str
):
    at = edit(root, file, old, new)
    found = problems(root)
    assert len([problem for problem in found if text in problem.message]) == 1, "\n".join(map(str, found))
    others = [problem for problem in found if text not in problem.message]
    allowed = "nothing fills", "has no 'quality'"  # what follows from the mistake
    assert not [problem for problem in others if not any(part in problem.message for part in allowed)], others
    problem = next(problem for problem in found if text in problem.message)
    if line is None:  # the config that names the module
        assert (problem.file, problem.line) == (PIPELINE, 1)
    else:
        assert (problem.file, problem.line) == (file, at + line)


def test_two_pipelines_of_one_datastream_and_with_overlapping_triggers(root: Path):
    for name in ("pipeline", "retriever", "dataset", "quality"):
        twin = root / f"pipelines/twin/config/{name}.yaml"
        twin.parent.mkdir(parents=True, exist_ok=True)
        twin.write_text(
            (root / f"{CONFIG}/{name}.yaml").read_text().replace("pipelines/roof/config", "pipelines/twin/config")
        )
    first, second = problems(root)
    assert (first.file, first.line) == (PIPELINE, 2)
    assert (
        "the triggers also match names of pipelines/twin/config/pipeline.yaml, such as 'roof.11111111.csv'"
        in first.message
    )
    assert (second.file, second.line) == ("pipelines/twin/config/pipeline.yaml", 6)
    assert f"stores the datastream lab.roof.b1, as {PIPELINE} does" in second.message


def test_other_file_names_and_old_formats_are_named(root: Path):
    (root / PIPELINE).rename(root / CONFIG / "pipeline_lab.yml")
    old = root / "pipelines/old/config/pipeline_config.yml"
    old.parent.mkdir(parents=True)
    old.write_text("pipeline:\n  type: Ingest\ndataset_definition:\n  attributes: {}\n")
    texts = [str(problem) for problem in problems(root)]
    assert "pipelines/old/config/pipeline_config.yml:1:1: error: is a config of tsdat 0.2" in texts[0]
    assert (
        f"{CONFIG}/pipeline_lab.yml:1:1: error: is not used: tsdat reads .yaml. Rename it to pipeline_lab.yaml."
        in texts
    )


def test_a_nested_pipeline_is_taken(root: Path):
    (root / "pipelines/site").mkdir()
    (root / "pipelines/roof/config").rename(root / "pipelines/roof/conf")
    for path in (root / "pipelines/roof/conf").glob("*"):
        path.write_text(path.read_text().replace("roof/config/", "roof/conf/"))
    assert problems(root) == []
    assert project.configs(root) == ["pipelines/roof/conf/pipeline.yaml"]


def with_file(root: Path, content: bytes, name: str = "roof.20240501.csv") -> list[str]:
    (root / name).write_bytes(content)
    os.chdir(root)
    pipeline.use_project(root)
    return [str(problem) for problem in with_data.check(root, PIPELINE, root / name)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (roof_project.csv(), None),
        (b"time,temp_f,windspeed\n2024-05-01 00:00,50,3\n", "retriever.yaml:19:5: error: the file has no column 'wind'"),
        (b"time,temp_f,wind\n2024-05-01 00:00,50,3\n2024-05-01 00:10,51,calm\n",
         "column 'wind' has the text 'calm' in row 2, and the dataset wants float."),
        (b"time,temp_f,wind\n2024-05-01 00:10,50,3\n2024-05-01 00:00,51,3\n", "time does not increase in row 2"),
        (b"time,temp_f,wind\n2024-05-01 00:00,50,\n2024-05-01 00:10,51,\n", "all 2 values of 'wind_speed' are missing"),
        (b"time,temp_f,wind\n01.05.2024 00:00,50,3\n", "cannot be retrieved"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_the_config(root: Path, content: bytes, expected: str | None):
    found = with_file(root, content)
    if expected is None:
        assert found == []
    else:
        assert expected in found[0], found
        assert len(found) == 1


def test_a_file_that_no_reader_takes(root: Path):
    (found,) = with_file(root, roof_project.csv(), "roof.20240501.txt")
    assert r"no pattern of a reader matches 'roof.20240501.txt': '.*\\.csv'" in found
