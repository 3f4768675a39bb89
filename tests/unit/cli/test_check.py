"""What `runner check` says of the port that `runner up` needs."""

import json
import os
import socket
from pathlib import Path

import pytest

from runner.cli.check import problems, report, warnings
from runner.settings import Settings
from runner.state.stack_lock import only_one


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose port is taken while the test runs."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        yield Settings.from_env({"RUNNER_DATA": str(tmp_path), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"})


def test_a_port_in_use_is_a_warning_with_what_to_do(settings: Settings):
    port = settings.endpoint_url.rpartition(":")[2]
    assert list(warnings(settings)) == [
        f"port {port} is in use, perhaps by a stack on another data folder. `runner up` needs a free one: "
        "runner up --port 4567, or --port 0 for any"
    ]


def test_the_port_of_the_stack_on_this_data_folder_is_none(settings: Settings):
    with only_one(settings):  # as a running stack holds it, and one that is starting
        assert list(warnings(settings)) == []


def test_a_free_port_is_none(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as used:
        port = used.getsockname()[1]
    variables = {"RUNNER_DATA": str(tmp_path), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    assert list(warnings(Settings.from_env(variables))) == []


def test_an_endpoint_elsewhere_is_a_warning_because_up_refuses_it(tmp_path: Path):
    variables = {"RUNNER_DATA": str(tmp_path), "AWS_ENDPOINT_URL": "https://s3.us-west-2.amazonaws.com"}
    (warning,) = warnings(Settings.from_env(variables))
    assert "is not on this machine" in warning


def test_a_check_creates_no_data_folder(tmp_path: Path):
    list(warnings(Settings.from_env({"RUNNER_DATA": str(tmp_path / "data")})))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A project with a template of its own, and no pipeline."""
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "template.yaml").write_text(Path("template.yaml").read_text())
    monkeypatch.setenv("TSDAT_S3_BUCKET_NAME", "outputs")
    folder = Path.cwd()
    yield Settings.from_env({"RUNNER_ROOT": str(tmp_path)})
    os.chdir(folder)


def edit(settings: Settings, old: str, new: str) -> int:
    """Edit the template, and return the line."""
    text = settings.template_file.read_text()
    assert old in text
    settings.template_file.write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


def test_a_template_that_aws_would_refuse_is_named_with_its_line(project: Settings):
    line = edit(project, "VisibilityTimeout: 720", "VisibilityTimeout: 60")
    (found,) = [one for one in problems(project) if one.file == "template.yaml"]
    assert str(found).startswith(
        f"template.yaml:{line}:7: error: 60 s is less than the function's Timeout of 120 s, which Lambda rejects."
    )


def test_a_property_without_effect_is_a_warning_with_its_line(project: Settings):
    line = edit(project, "      Timeout: 120\n", "      Tracing: Active\n      Timeout: 120\n")
    assert f"template.yaml:{line}:7: warning: has no effect here: nothing is traced here." in map(
        str, problems(project)
    )


def test_a_schedule_whose_config_is_missing_is_named_with_its_line(project: Settings):
    (found,) = [one for one in problems(project) if "schedule" in one.message]
    lines = project.template_file.read_text().splitlines()
    assert "pipelines/buoy_wind_hourly/config/pipeline.yaml" in lines[found.line - 1]
    assert found.message.startswith(
        "the schedule 'buoy-wind-hourly' runs pipelines/buoy_wind_hourly/config/pipeline.yaml"
    )


def test_requirements_that_cannot_be_met_are_a_problem_with_their_line(project: Settings):
    (project.root / "requirements.txt").write_text("gsw\n-e .\n")
    (found,) = [str(one) for one in problems(project) if one.file == "requirements.txt"]
    assert found.startswith("requirements.txt:2:1: error: -e .: this option is not supported.")


def test_a_project_without_a_pipeline_is_an_error(project: Settings, capsys: pytest.CaptureFixture[str]):
    (project.root / "template.yaml").unlink()  # the shipped one, without its schedules
    assert report(project, as_json=True) == 1
    (found,) = json.loads(capsys.readouterr().out)["problems"]
    assert found["message"] == "there is no pipeline. `runner new` makes one from a raw file."


def test_warnings_do_not_change_the_exit_code(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TSDAT_S3_BUCKET_NAME", "outputs")
    assert report(Settings.from_env({}), as_json=False) == 0
    assert "✔ no problems in template, routes and pipeline configs" in capsys.readouterr().out
