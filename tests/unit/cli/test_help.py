"""The help, as a person at a terminal of 80 columns reads it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from runner.cli.app import PANELS, VERSION, app
from runner.testing.stacks import environment

GROUP = typer.main.get_command(app)
assert isinstance(GROUP, TyperGroup)
CONTEXT = GROUP.make_context("runner", ["status"])
VISIBLE = [name for name in GROUP.list_commands(CONTEXT) if not GROUP.commands[name].hidden]


def runner(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runner", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment(COLUMNS="80", **variables), check=False
    )


def examples(name: str) -> list[str]:
    """Return the commands that the help of a command shows, in backticks, without those of the shell."""
    return [found for found in re.findall(r"`(runner [^`]+)`", GROUP.commands[name].help or "") if "…" not in found]


def test_the_panels_come_in_order_and_hold_every_command():
    shown = runner("--help").stdout
    assert re.findall(r"^╭─ (.+?) ─", shown, re.MULTILINE) == ["Options", *PANELS]
    assert re.findall(r"^│ ([a-z][a-z-]*) {2}", shown, re.MULTILINE) == VISIBLE
    assert max(map(len, shown.splitlines())) == 80
    assert not re.findall(r"^│ {8,}[a-z].*", shown.partition("─ Run ─")[2], re.MULTILINE)  # one line a command


@pytest.mark.parametrize("name", VISIBLE)
def test_a_command_shows_an_example_of_itself(name: str):
    assert [example for example in examples(name) if example.split()[1] == name] or name == "env"


@pytest.mark.parametrize(("name", "example"), [(name, example) for name in VISIBLE for example in examples(name)])
def test_an_example_has_options_and_files_that_exist(name: str, example: str):
    _, called, *words = shlex.split(example)
    words = [path for word in words for path in (sorted(map(str, Path().glob(word))) if "*" in word else [word])]
    command = GROUP.commands[called]
    if isinstance(command, TyperGroup) and words and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    assert isinstance(command, TyperCommand | TyperGroup)
    command.make_context(called, words, parent=CONTEXT)  # raises UsageError, also for a sample that is not there


def test_the_version_is_that_of_the_project():
    assert tomllib.loads(Path("pyproject.toml").read_text())["project"]["version"] == VERSION
    done = runner("--version")
    assert (done.returncode, done.stdout) == (0, f"tsdat-local {VERSION}\n")


def test_the_shell_completes_commands_and_options():
    words = {"_RUNNER_COMPLETE": "complete_bash", "COMP_CWORD": "1"}
    assert runner(COMP_WORDS="runner re", **words).stdout.split() == ["retry", "reconcile", "replay"]
    assert "--settle" in runner(COMP_WORDS="runner up --se", **{**words, "COMP_CWORD": "2"}).stdout.split()
