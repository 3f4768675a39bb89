"""`sam deploy --guided` with answers at a terminal; afterwards `sam deploy` asks nothing."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.support.account import ROOT, Account
from tests.support.terminal import answered

pytestmark = [pytest.mark.sam, pytest.mark.timeout(300)]
STACK = "guided"


def test_guided_prompts_for_everything_and_the_next_deploy_for_nothing(account: Account, tmp_path: Path):
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
    command = ["scripts/sam", "deploy", "--guided", "--config-file", str(account.samconfig)]
    talk = answered(command, ROOT, account.environment, answers)
    assert talk.code == 0, talk.text
    assert f"Successfully created/updated stack - {STACK} in us-west-2" in talk.text
    assert account.outputs(STACK)["SourceBucketName"] == "guided-inputs"
    configuration = account.client("lambda").get_function_configuration(FunctionName=STACK)
    assert configuration["Environment"]["Variables"]["LOG_LEVEL"] == "DEBUG"
    assert tomllib.loads(saved.read_text())["default"]["deploy"]["parameters"]["stack_name"] == STACK
    done = account.run("scripts/sam", "deploy", "--config-file", saved, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Successfully created/updated stack - {STACK} in us-west-2" in done.stdout
