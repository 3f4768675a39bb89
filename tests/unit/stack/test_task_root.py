import shutil
from pathlib import Path

import pytest

from runner.stack import lambda_python, task_root


def test_it_has_what_the_image_has_and_follows_the_project(tmp_path: Path):
    project, folder = tmp_path / "project", tmp_path / "task-root"
    for name in ("pipelines", "data"):
        (project / name).mkdir(parents=True)
    (project / "template.yaml").touch()
    task_root.build(folder, project)
    assert sorted(path.name for path in folder.iterdir()) == ["pipelines", "runner", "shared", "utils"]
    assert not (folder / "shared").exists()
    (project / "shared").mkdir()
    assert (folder / "shared").is_dir()
    assert not (folder / "runner/cli").exists()


def test_another_project_takes_the_place_of_the_first(tmp_path: Path):
    for name in ("one", "other"):
        (tmp_path / name / "pipelines").mkdir(parents=True)
        task_root.build(tmp_path / "task-root", tmp_path / name)
    assert (tmp_path / "task-root/pipelines").resolve() == tmp_path / "other/pipelines"


def test_a_copy_of_the_data_folder_gets_its_links_again(tmp_path: Path):
    (tmp_path / "project/pipelines").mkdir(parents=True)
    folder = task_root.build(tmp_path / "task-root", tmp_path / "project")
    copied = Path(shutil.copytree(folder, tmp_path / "copy", ignore_dangling_symlinks=True))
    task_root.build(copied, tmp_path / "project")
    assert [path.readlink() for path in (copied / "pipelines", copied / "runner/messages")] == [
        tmp_path / "project/pipelines", Path.cwd() / "runner/messages",
    ]  # fmt: skip


def test_another_python_than_on_aws_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lambda_python, "_ENVIRONMENT", tmp_path)
    found = tmp_path / "lib/python3.13"
    found.mkdir(parents=True)
    assert lambda_python.notice() == ""
    found.rename(tmp_path / "lib/python3.11")
    assert lambda_python.notice() == (
        "The Lambda runs python3.11 here, and python3.13 on AWS. Install python3.13, delete .venv-lambda and run "
        "scripts/setup to use it."
    )
