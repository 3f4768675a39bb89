"""`runner new` at a terminal and from scripts: questions, a second sample, and files it cannot use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runner.settings import CHECKOUT
from runner.testing.stacks import environment
from tests.support.terminal import answered

ROOF = CHECKOUT / "data/samples/new/roof_20240501.csv"
ENVIRONMENT = {name: value for name, value in environment().items() if name != "PYTHONPATH"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pipelines").mkdir()
    return tmp_path


def new(project: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "runner", "new", *map(str, arguments)]
    return subprocess.run(
        command, cwd=project, env=ENVIRONMENT, capture_output=True, text=True, timeout=100, check=False
    )


def test_it_asks_at_a_terminal_and_a_second_sample_is_compared(project: Path):
    command = [sys.executable, "-P", "-m", "runner", "new", "my_met", "--from", str(ROOF)]
    talk = answered(command, project, ENVIRONMENT, {"Time zone": "America/Los_Angeles", "Location": "pier"})
    assert talk.code == 0, talk.text
    assert "✔ pipelines/my_met: next, edit its config/*.yaml" in talk.text
    assert "location_id: pier" in (project / "pipelines/my_met/config/dataset.yaml").read_text()
    assert "timezone: America/Los_Angeles" in (project / "pipelines/my_met/config/retriever.yaml").read_text()
    again = new(project, "my_met", "--from", ROOF, "--compare")
    assert (again.returncode, again.stdout.count("\n  column")) == (0, 0), again.stdout
    other = project / ROOF.name
    lines = ROOF.read_text().splitlines()
    other.write_text("\n".join([f"{lines[0]},extra", *(f"{line},1" for line in lines[1:])]) + "\n")
    differing = new(project, "my_met", "--from", other)
    assert (differing.returncode, "column 'extra' is new" in differing.stdout) == (1, True), differing.stdout


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("bad name", "time,x\n2024-05-01,1\n", "'bad name' cannot be the name of a pipeline."),
        ("empty", "", "It is empty. Use a file with some rows of data."),
        ("no_time", "a,b\n1.5,2.5\n3.5,4.5\n", "time"),
    ],
)
def test_what_it_cannot_use_is_named_and_nothing_is_left(project: Path, name: str, content: str, message: str):
    (project / "x.csv").write_text(content)
    done = new(project, name, "--from", "x.csv", "--yes")
    assert (done.returncode, message in " ".join(done.stderr.split())) == (2, True), done.stderr
    assert [path.name for path in (project / "pipelines").iterdir()] == []
