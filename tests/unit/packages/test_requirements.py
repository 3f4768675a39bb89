from pathlib import Path

import pytest

from runner.cli.add import with_line
from runner.errors import PackagesError
from runner.packages.requirements import read


def lines(folder: Path, text: str) -> list[str]:
    file = folder / "requirements.txt"
    file.write_text(text, encoding="utf-8")
    return [f"{line.place} {line.requirement}" for line in read(file)]


def test_requirements_are_read_with_their_lines(tmp_path: Path):
    (tmp_path / "more.txt").write_text("gsw\n-r requirements.txt\n")
    assert lines(
        tmp_path,
        "\ufeff# Ours\n\ncmocean >= 3.0  # colors\nmhkit[dolfyn]\n-r more.txt\nxlrd; python_version < '3.14'\n"
        "a==1 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\nb\n",
    ) == [
        "requirements.txt:3 cmocean>=3.0", "requirements.txt:4 mhkit[dolfyn]", "more.txt:1 gsw",
        'requirements.txt:6 xlrd; python_version < "3.14"', "requirements.txt:7 a==1", "requirements.txt:10 b",
    ]  # fmt: skip


def test_no_file_an_empty_file_and_comments_ask_for_nothing(tmp_path: Path):
    assert read(tmp_path / "requirements.txt") == []
    assert lines(tmp_path, "") == []
    assert lines(tmp_path, "# nothing yet\n\n") == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("git+https://example.org/a.git", "a repository has no version that a lock could pin. Name a release on PyPI"),
        ("a @ git+https://example.org/a.git@v1", "a repository has no version"),
        ("a @ https://example.org/a.whl", "a URL has no version"),
        ("./local", "a local file has no version"),
        ("../x.whl", "a local file has no version"),
        ("-e .", "-e .: this option is not supported. Put its code into shared/ or utils/"),
        ("--index-url https://example.org", "not supported. Remove the line, and set an index with PIP_INDEX_URL"),
        ("--pre", "--pre: this option is not supported. Remove the line."),
        ("-r missing.txt", "-r missing.txt: there is no file"),
        ("two words", "'two words' is not a requirement: Expected semicolon"),
        ("cmocean=3", "'cmocean=3' is not a requirement"),
    ],
)
def test_what_cannot_be_reproduced_is_refused_with_its_line(tmp_path: Path, line: str, message: str):
    with pytest.raises(PackagesError) as caught:
        lines(tmp_path, f"gsw\n{line}\n")
    assert str(caught.value).startswith(f"requirements.txt:2: {line}") or "requirements.txt:2: '" in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("package", "text"),
    [
        ("gsw", "# Ours\ncmocean>=3  # colors\nPyYAML\ngsw\n"),
        ("cmocean", "# Ours\ncmocean>=3  # colors\nPyYAML\n"),
        ("CMOcean==4", "# Ours\nCMOcean==4  # colors\nPyYAML\n"),
        ("pyyaml>6", "# Ours\ncmocean>=3  # colors\npyyaml>6\n"),
    ],
)
def test_a_package_is_added_once_and_comments_stay(package: str, text: str):
    assert with_line("# Ours\ncmocean>=3  # colors\nPyYAML\n", package) == text


def test_a_package_is_added_to_an_empty_file():
    assert with_line("", "gsw") == "gsw\n"
