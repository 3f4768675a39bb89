"""What README and docs say to SAM CLI, the real one understands: its verbs and options exist."""

from __future__ import annotations

import re
import shlex
import subprocess
from functools import cache
from pathlib import Path

import pytest
from conftest import ROOT

from runner.backends import environment

DOCS = [Path("README.md"), *sorted(Path("docs").glob("*.md"))]
WRITTEN = {
    command.strip() for doc in DOCS for command in re.findall(r"(?<![\w/])scripts/sam ([a-z][^`\n#]*)", doc.read_text())
}
TO_DEPLOY = {
    command.strip()
    for doc in DOCS
    for command in re.findall(r"^ +scripts/deploy (\w.*? --[^#\n]*)", doc.read_text(), re.M)
}


@cache
def understood(*verb: str) -> set[str]:
    """All options of a verb."""
    command = [ROOT / "scripts/sam", *verb, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(COLUMNS="300"), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return set(re.findall(r"(?<!\w)--?[a-z][a-z-]*", done.stdout))


@pytest.mark.parametrize("written", sorted(WRITTEN))
def test_sam_understands_what_is_written(written: str):
    words = shlex.split(written)
    verb = [word for word in words if not word.startswith("-")][: 2 if words[0] in ("local", "list") else 1]
    assert {word for word in words if word.startswith("-")} <= understood(*verb)


def test_what_is_passed_on_by_deploy_is_understood():
    options = {word for written in TO_DEPLOY for word in shlex.split(written) if word.startswith("--")}
    assert options
    assert options <= understood("deploy")
