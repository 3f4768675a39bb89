"""Variables of image builds come from .env and the shell, and the code version from the project's repository."""

import subprocess
from pathlib import Path

import pytest

from runner.stack import build_variables

GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")


def test_env_files_are_parsed_as_compose_parses_plain_lines():
    text = "# LAMBDA_BASE=no\nLAMBDA_BASE=own/base:1\n\nPIP_INDEX_URL='https://mirror.example.org/?a=b'\n"
    assert build_variables.dotenv(text) == {
        "LAMBDA_BASE": "own/base:1",
        "PIP_INDEX_URL": "https://mirror.example.org/?a=b",
    }


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's repository with one commit, and no CODE_VERSION in the shell."""
    monkeypatch.delenv("CODE_VERSION", raising=False)
    (tmp_path / "runner.py").write_text("raise SystemExit\n")  # tsdat's template has one
    for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "first"], ["tag", "v1.2.3"]):
        subprocess.run([*GIT, *arguments], cwd=tmp_path, check=True)
    return tmp_path


def test_the_code_version_is_that_of_the_projects_repository(repository: Path):
    assert build_variables.with_code_version(repository)["CODE_VERSION"] == "1.2.3"
    (repository / "runner.py").write_text("edited")
    assert build_variables.with_code_version(repository)["CODE_VERSION"] == "1.2.3+dirty"


def test_a_code_version_in_env_or_in_the_shell_counts_more(repository: Path, monkeypatch: pytest.MonkeyPatch):
    (repository / ".env").write_text("CODE_VERSION=of the file\n")
    assert build_variables.with_code_version(repository)["CODE_VERSION"] == "of the file"
    monkeypatch.setenv("CODE_VERSION", "of the shell")
    assert build_variables.with_code_version(repository)["CODE_VERSION"] == "of the shell"


def test_without_a_repository_there_is_no_code_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CODE_VERSION", raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert "CODE_VERSION" not in build_variables.with_code_version(tmp_path)
