"""The template and samconfig.toml of a project have its names, and no schedule of a pipeline that it lacks."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from runner.cli.project_files import deployment
from runner.cli.project_files.shipped import name_of
from runner.template import cfn_yaml, stack_template

SHIPPED = Path("template.yaml")
HOURLY = "pipelines/buoy_wind_hourly/config/pipeline.yaml"


def tree(tmp_path: Path, text: str) -> dict[str, dict[str, object]]:
    path = tmp_path / "template.yaml"
    path.write_text(text)
    found: dict[str, dict[str, object]] = cfn_yaml.load(path)
    return found


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("met", "met"), ("My Met #1", "my-met-1"), ("2024-lidar", "p-2024-lidar"), ("Île_d'Yeu", "le-d-yeu"),
        ("海", "project"), ("---", "project"), ("x" * 18 + "_y" * 9, "x" * 18),
    ],
)  # fmt: skip
def test_a_name_comes_from_the_folder_and_is_one_for_buckets_and_stacks(tmp_path: Path, folder: str, name: str):
    project = tmp_path / folder
    project.mkdir()
    assert name_of(project) == name
    path = project / "template.yaml"
    path.write_text(deployment.template(project))
    assert stack_template.load(path).source_bucket == f"{name}-lambda-inputs-000000000000-us-west-2"


@pytest.mark.parametrize("path", ["samconfig.toml", "compose.yaml"])
def test_a_clone_in_another_folder_keeps_the_name(tmp_path: Path, path: str):
    from runner.cli.project_files import containers

    project, clone = tmp_path / "met", tmp_path / "clone of met"
    project.mkdir()
    clone.mkdir()
    (text,) = [one.text for one in [*deployment.files(project), *containers.files(project)] if one.path == path]
    (clone / path).write_text(text)
    assert name_of(clone) == "met"


def test_schedules_of_the_samples_go_with_what_only_they_need(tmp_path: Path):
    made, shipped = tree(tmp_path, deployment.template(tmp_path)), cfn_yaml.load(SHIPPED)
    assert shipped["Resources"].keys() - made["Resources"].keys() == {
        "BuoyWindHourlySchedule", "ScheduleDeadLetterQueue", "ScheduleDeadLetterQueuePolicy", "ScheduleRole",
        "UndeliveredSchedulesAlarm",
    }  # fmt: skip
    assert shipped["Parameters"].keys() - made["Parameters"].keys() == {"ScheduleState"}
    assert made["Outputs"].keys() == shipped["Outputs"].keys()
    assert "Schedule" not in (tmp_path / "template.yaml").read_text()
    assert stack_template.load(tmp_path / "template.yaml").schedules == ()


def test_a_schedule_whose_pipeline_the_project_has_stays(tmp_path: Path):
    (tmp_path / HOURLY).parent.mkdir(parents=True)
    (tmp_path / HOURLY).touch()
    assert tree(tmp_path, deployment.template(tmp_path)).keys() == cfn_yaml.load(SHIPPED).keys()
    assert len(stack_template.load(tmp_path / "template.yaml").schedules) == 1


def test_the_environments_of_samconfig_have_the_projects_names(tmp_path: Path):
    (text,) = [one.text for one in deployment.files(tmp_path / "met") if one.path == "samconfig.toml"]
    config = tomllib.loads(text)
    names = [config[name]["global"]["parameters"]["stack_name"] for name in ("default", "dev", "prod")]
    assert names == ["met-stack", "met-dev", "met-prod"]
    assert "LambdaFunctionName=met-prod" in config["prod"]["deploy"]["parameters"]["parameter_overrides"]
    assert "tsdat-pipeline" not in text
