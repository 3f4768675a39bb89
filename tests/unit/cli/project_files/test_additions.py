"""What a project lacks is found and added; what it has stays."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from runner.cli.project_files import additions
from runner.cli.project_files.additions import Lines
from runner.cli.project_files.shipped import LINK, ProjectFile
from runner.errors import SettingsError

FILE = ProjectFile("deep/er/file.txt", "for a test", "one\ntwo\n")
VARIABLES = {"A": 'A="1"', "B": 'B="2"'}


def paths(project: Path) -> list[str]:
    """Return the paths that a project lacks."""
    return [one.path for one in additions.plan(project, [FILE], VARIABLES).added]


def add_all(project: Path) -> None:
    for addition in additions.plan(project, [FILE], VARIABLES).added:
        additions.add(project, addition)


def test_everything_is_added_once(tmp_path: Path):
    assert paths(tmp_path) == [FILE.path, LINK, ".env", ".gitignore"]
    add_all(tmp_path)
    assert (tmp_path / FILE.path).read_text() == FILE.text
    assert (tmp_path / ".env").read_text() == 'A="1"\nB="2"\n'
    assert (tmp_path / LINK / "pyproject.toml").is_file()
    assert additions.plan(tmp_path, [FILE], VARIABLES) == additions.Plan([], [], [])


def test_a_file_that_exists_stays_and_its_difference_is_a_unified_diff(tmp_path: Path):
    path = tmp_path / FILE.path
    path.parent.mkdir(parents=True)
    path.write_text("one\nmine")
    add_all(tmp_path)
    assert path.read_text() == "one\nmine"
    assert additions.plan(tmp_path, [FILE], VARIABLES).differing == [FILE]
    assert additions.difference(path, FILE) == (
        "--- yours/deep/er/file.txt\n+++ shipped/deep/er/file.txt\n@@ -1,2 +1,2 @@\n one\n-mine\n"
        "\\ No newline at end of file\n+two\n"
    )


@pytest.mark.parametrize("content", [b"one\r\ntwo\r\n", b"one\ntwo\n"])
def test_ends_of_lines_are_no_difference(tmp_path: Path, content: bytes):
    (tmp_path / "file").write_bytes(content)
    assert additions.difference(tmp_path / "file", FILE) == ""


def test_a_file_that_is_not_text_can_be_compared(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"\xff\xfe\n")
    assert "+one" in additions.difference(tmp_path / "file", FILE)


def test_a_file_created_in_the_meantime_is_not_overwritten(tmp_path: Path):
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / FILE.path).write_text("mine")
    with pytest.raises(SettingsError, match="file.txt cannot be added: File exists. Fix this and run `runner init` ag"):
        additions.add(tmp_path, FILE)
    assert (tmp_path / FILE.path).read_text() == "mine"


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path: Path):
    (tmp_path / "deep").touch()
    with pytest.raises(SettingsError, match=f"file.txt cannot be added: {tmp_path}/deep is not a folder. Fix this"):
        additions.add(tmp_path, FILE)


def test_a_broken_link_is_kept(tmp_path: Path):
    (tmp_path / LINK).symlink_to(tmp_path / "moved")
    assert LINK not in paths(tmp_path)


def test_lines_are_appended_to_those_that_exist(tmp_path: Path):
    (tmp_path / ".env").write_text("# A=0\nexport B=other\nMINE=x")
    add_all(tmp_path)
    assert (tmp_path / ".env").read_text() == '# A=0\nexport B=other\nMINE=x\nA="1"\n'
    assert additions.plan(tmp_path, [FILE], VARIABLES).other_values == ['B="2"']


@pytest.mark.parametrize("text", [".env\n.tsdat-local\n.aws-sam\n", "/.env\n/.tsdat-local\n/.aws-sam/\n"])
def test_gitignore_is_left_alone_if_it_has_the_lines(tmp_path: Path, text: str):
    (tmp_path / ".gitignore").write_text(text)
    assert ".gitignore" not in paths(tmp_path)


def test_what_git_ignores_for_another_reason_needs_no_line(tmp_path: Path):
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / ".git/info/exclude").write_text(".aws-*\n.env*\n")
    (found,) = [one for one in additions.plan(tmp_path, [], {}).added if isinstance(one, Lines)]
    assert found.lines == (f"/{LINK}",)
