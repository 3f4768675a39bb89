from pathlib import Path

import pytest

from runner.diagnostics import imports
from runner.diagnostics.problem import Problem


def problems(root: Path, text: str, name: str = "pipelines/roof/pipeline.py") -> list[Problem]:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return list(imports.check(root, root / "packages"))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with a module beside `pipelines`, and with a package of its own."""
    (tmp_path / "beside.py").touch()
    (tmp_path / "packages/cmocean").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "column", "reason"),
    [
        ("import cgi", 1, "imports cgi. python3.13, which Lambda runs, no longer has cgi. Use another module."),
        ("def read():\n    from telnetlib import Telnet", 5,
         "imports telnetlib. python3.13, which Lambda runs, no longer has telnetlib. Use another module."),
        ("import os, compression.zstd", 1,
         "imports compression.zstd. python3.13, which Lambda runs, does not have compression yet. Use another module."),
        ("import beside", 1,
         "imports beside. It is outside pipelines, shared, utils, and only these ship. Move it into one of them."),
        ("from hypothesis import given", 1,
         "imports hypothesis. It is installed on this machine and not in the Lambda. Run `runner add hypothesis`."),
    ],
)  # fmt: skip
def test_an_import_that_fails_on_aws_is_named_with_its_line(root: Path, line: str, column: int, reason: str):
    number = 2 + line.count("\n")
    expected = Problem("pipelines/roof/pipeline.py", number, column, reason)
    assert problems(root, f"import tsdat\n{line}\n") == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "import os, xarray as xr, cmocean, runner.errors\nfrom utils.units import degrees\nfrom . import other",
        "try:\n    import pytest\nexcept ImportError:\n    pytest = None",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import hypothesis",
        "if __name__ == '__main__':\n    import pytest",
        "import not_installed_here_either",  # found when the pipeline is built
        "import pytest (",
    ],
)
def test_what_works_on_aws_and_what_is_found_elsewhere_is_no_problem(root: Path, text: str):
    assert problems(root, text) == []


def test_tests_do_not_run_on_aws(root: Path):
    assert problems(root, "import pytest", "pipelines/roof/test/test_roof.py") == []
    assert problems(root, "import pytest", "pipelines/roof/conftest.py") == []
