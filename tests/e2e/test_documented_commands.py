"""What README and docs say to SAM CLI, the real one understands: its verbs and options exist."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from runner.testing.stacks import environment
from tests.support.stacks import ROOT

DOCS = [Path("README.md"), *sorted(Path("docs").glob("*.md"))]
WRITTEN = {
    command.strip() for doc in DOCS for command in re.findall(r"(?<![\w/])scripts/sam ([a-z][^`\n#]*)", doc.read_text())
}
TO_DEPLOY = {
    command.strip()
    for doc in DOCS
    for command in re.findall(r"^ *scripts/deploy (\w.*? --[^#\n]*)", doc.read_text(), re.M)
}


# Of these scripts/sam asks for what is built or runs, but not for their help.
PARTICULAR = [("deploy",), ("local", "invoke")]
# In one process: each start of SAM CLI takes two seconds.
ASK = """
import json, sys
from click.testing import CliRunner
from samcli.cli.main import cli

asked = [(verb, CliRunner().invoke(cli, [*verb, "--help"])) for verb in json.load(sys.stdin)]
print(json.dumps([(verb, answer.exit_code, answer.output) for verb, answer in asked]))
"""


def verb_of(written: str) -> tuple[str, ...]:
    words = [word for word in shlex.split(written) if not word.startswith("-")]
    return tuple(words[: 2 if words[0] in ("local", "list") else 1])


@pytest.fixture(scope="module")
def helps() -> dict[tuple[str, ...], tuple[int, str]]:
    """Of each verb, the exit code and the text of its help."""
    subprocess.run([ROOT / "scripts/environment", "sam"], check=True)
    verbs = sorted({verb_of(written) for written in WRITTEN} | {*PARTICULAR})
    own = environment(COLUMNS="300", SAM_CLI_TELEMETRY="0")
    command = [ROOT / ".venv-sam/bin/python", "-c", ASK]
    done = subprocess.run(command, input=json.dumps(verbs), capture_output=True, text=True, env=own, check=False)
    assert done.returncode == 0, done.stderr
    return {tuple(verb): (code, text) for verb, code, text in json.loads(done.stdout)}


def understood(help_: tuple[int, str]) -> set[str]:
    """All options that a help names."""
    code, text = help_
    assert code == 0, text
    return set(re.findall(r"(?<!\w)--?[a-z][a-z-]*", text))


@pytest.mark.parametrize("written", sorted(WRITTEN))
def test_sam_understands_what_is_written(helps: dict[tuple[str, ...], tuple[int, str]], written: str):
    assert {word for word in shlex.split(written) if word.startswith("-")} <= understood(helps[verb_of(written)])


@pytest.mark.parametrize("verb", PARTICULAR, ids=" ".join)
def test_help_is_shown_whatever_is_built_or_runs(helps: dict[tuple[str, ...], tuple[int, str]], verb: tuple[str, ...]):
    command = [ROOT / "scripts/sam", *verb, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(COLUMNS="300"), check=False)
    assert understood((done.returncode, done.stdout)) == understood(helps[verb])


def test_what_is_passed_on_by_deploy_is_understood(helps: dict[tuple[str, ...], tuple[int, str]]):
    options = {word for written in TO_DEPLOY for word in shlex.split(written) if word.startswith("--")}
    assert options
    assert options <= understood(helps["deploy",])
