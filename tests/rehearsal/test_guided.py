"""`sam deploy --guided`, answered as at a terminal; afterwards `sam deploy` alone asks nothing."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from account import ROOT, Account

pytestmark = pytest.mark.timeout(300)
STACK = "guided"
PROMPT = re.compile(r"([^\n\t]+?) ?\[[^\]\n]*\]: $|([^\n\t]+): $")


def answered(account: Account, command: list[str], answers: dict[str, str]) -> str:
    """Run a command at a terminal; a prompt that begins with one of the keys gets its answer, any other just Enter.

    Raises:
        AssertionError: it failed, or did not ask what there is an answer for; the text has all that it said.
    """
    terminal, its_end = pty.openpty()
    process = subprocess.Popen(
        command, cwd=ROOT, env=account.environment, stdin=its_end, stdout=its_end, stderr=its_end
    )
    os.close(its_end)
    said, answered_to, asked = "", 0, set()
    while True:
        try:
            said += os.read(terminal, 4096).decode(errors="replace").replace("\r", "")
        except OSError:  # how Linux tells that the other end is closed
            break
        plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", said)
        if prompt := PROMPT.search(plain, answered_to):
            text = (prompt[1] or prompt[2]).strip()
            key = next((key for key in answers if text.startswith(key)), "")
            asked.add(key)
            os.write(terminal, answers.get(key, "").encode() + b"\n")
            answered_to = len(plain)
    os.close(terminal)
    assert process.wait() == 0, said
    assert answers.keys() <= asked, f"not asked: {answers.keys() - asked} in\n{said}"
    return said


def test_guided_asks_for_everything_and_the_next_deploy_for_nothing(account: Account, tmp_path: Path):
    saved = tmp_path / "samconfig.toml"
    answers = {
        "Stack Name": STACK,
        "AWS Region": "us-west-2",
        "Parameter SourceBucketName": "guided-inputs",
        "Parameter DestinationBucketName": "guided-outputs",
        "Parameter LambdaFunctionName": STACK,
        "Parameter LoggingLevel": "DEBUG",
        "Confirm changes before deploy": "n",
        "Allow SAM CLI IAM role creation": "y",
        "Create managed ECR repositories": "n",
        "ECR repository for PipelineFunction": account.repository,
        "Save arguments to configuration file": "y",
        "SAM configuration file": str(saved),
    }
    said = answered(account, ["scripts/sam", "deploy", "--guided", "--config-file", str(account.samconfig)], answers)
    assert f"Successfully created/updated stack - {STACK} in us-west-2" in said
    assert account.outputs(STACK)["SourceBucketName"] == "guided-inputs"
    configuration = account.client("lambda").get_function_configuration(FunctionName=STACK)
    assert configuration["Environment"]["Variables"]["LOG_LEVEL"] == "DEBUG"
    assert tomllib.loads(saved.read_text())["default"]["deploy"]["parameters"]["stack_name"] == STACK
    done = account.run("scripts/sam", "deploy", "--config-file", saved, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Successfully created/updated stack - {STACK} in us-west-2" in done.stdout
