"""`runner init`: what it shows, asks, adds and refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runner.testing.stacks import environment
from tests.support import roof_project

ADDED = [
    ".devcontainer/compose.yaml", ".devcontainer/devcontainer.json", ".env", ".gitignore", ".tsdat-local",
    ".vscode/extensions.json", ".vscode/launch.json",
    *(f".vscode/schemas/{name}.json" for name in ("dataset", "pipeline", "quality", "retriever", "routes", "storage")),
    ".vscode/settings.json", ".vscode/tasks.json", "Dockerfile",
    "compose.yaml", "samconfig.toml", "template.yaml",
]  # fmt: skip


def init(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run `runner init` without a terminal."""
    command = [sys.executable, "-P", "-m", "runner", "init", *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return roof_project.make(tmp_path / "My roof #1")


def content(project: Path) -> dict[str, bytes]:
    """Return every file of a project, without its data and without what the link leads to."""
    files = [path for path in project.rglob("*") if path.is_file() and ".tsdat-local" not in path.parts]
    return {str(path.relative_to(project)): path.read_bytes() for path in files if "data" not in path.parts}


def test_it_shows_each_file_and_adds_none_without_an_answer(project: Path):
    before = content(project)
    for arguments, code in (["--dry-run"], 0), ([], 2):
        done = init(*arguments, cwd=project)
        assert done.returncode == code, done.stderr
        assert sorted(line.split()[0] for line in done.stdout.splitlines()) == ADDED
        assert f"`runner init` adds to {project}:" in done.stderr
        assert content(project) == before
        assert not (project / "data").exists()
    assert "There is no terminal to ask at. Add --yes to add the files, or --dry-run to only see them." in done.stderr


def test_it_adds_the_files_and_again_changes_nothing(project: Path):
    before = content(project)
    done = init("--yes", project)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, f"✔ added {len(ADDED)} files"), done.stderr
    made = content(project)
    assert made.items() >= before.items()
    assert sorted({*made, ".tsdat-local"} - before.keys()) == ADDED
    image = project / "data/state/image"
    assert (image / "pipelines/roof/pipeline.py").is_file()
    assert (image / "Dockerfile").read_bytes() == made["Dockerfile"]

    again = init(project)  # nothing to ask
    assert (again.returncode, again.stdout, content(project)) == (0, "", made)
    assert f"{project} has every file that `runner init` adds." in again.stderr


def test_a_file_of_your_own_stays_and_diff_shows_what_it_lacks(project: Path):
    (project / "template.yaml").write_text("mine\n")
    done = init("--yes", project)
    assert "It keeps yours, which differ from the shipped ones; see `runner init --diff`:" in done.stderr
    assert (project / "template.yaml").read_text() == "mine\n"
    diff = init("--diff", project)
    assert diff.returncode == 0
    assert diff.stdout.startswith("--- yours/template.yaml\n+++ shipped/template.yaml\n")
    assert "\n-mine\n+AWSTemplateFormatVersion" in diff.stdout
    assert (project / "template.yaml").read_text() == "mine\n"


def test_diff_names_what_is_missing(project: Path):
    diff = init("--diff", project)
    assert (diff.returncode, diff.stdout) == (0, "")
    assert "compose.yaml is missing or lacks lines; `runner init` adds it" in diff.stderr


def test_a_moved_project_is_reported_with_the_lines_for_env(project: Path, tmp_path: Path):
    init("--yes", project)
    moved = project.rename(tmp_path / "moved")
    done = init("--yes", moved)
    assert "It keeps these variables in .env, too. On this machine they should be:" in done.stderr
    assert f'  RUNNER_ROOT="{moved}"' in done.stdout.splitlines()


@pytest.mark.parametrize(
    ("folder", "text"),
    [
        ("missing", "missing is not a folder. Name the folder of your repository: `runner init DIR`."),
        ("empty", "empty is not a project: it has no folder `pipelines`. Name the folder that contains `pipelines`, "),
        (str(Path.cwd()), "is tsdat-local itself, which has all of these files. Name the folder of your repository: "),
    ],
)
def test_a_folder_that_is_no_project_is_refused(tmp_path: Path, folder: str, text: str):
    (tmp_path / "empty").mkdir()
    done = init("--yes", tmp_path / folder)
    assert done.returncode == 2
    assert text in done.stderr
    assert list((tmp_path / "empty").iterdir()) == []
