"""scripts/deploy and scripts/undeploy: nothing is deleted without confirmation."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.support.account import ROOT, Account
from tests.support.terminal import Talk, answered

pytestmark = [pytest.mark.sam, pytest.mark.timeout(300)]
STACK = "tsdat-pipeline-dev"
INPUTS, OUTPUTS = (f"{STACK}-{end}-000000000000-us-west-2" for end in ("inputs", "outputs"))


def test_deploy_validates_builds_and_deploys(account: Account):
    done = account.run("scripts/deploy", "dev", "--config-file", account.samconfig, "--no-progressbar")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    steps = [line for line in done.stderr.splitlines() if line.startswith("sam ")]
    validate = f"validate --template-file {ROOT / 'template.yaml'}"
    assert steps == [f"sam {step} --config-env dev" for step in (validate, "build", "deploy --no-progressbar")]
    assert account.outputs(STACK)["SourceBucketName"] == INPUTS


@pytest.fixture
def stack(account: Account) -> str:
    """Deploy the environment dev, with a file in each bucket."""
    store(account, account.deployed("dev"))
    return STACK


def store(account: Account, stack: str) -> None:
    """Put a file into each bucket of a stack."""
    for bucket in ("SourceBucketName", "DestinationBucketName"):
        account.client("s3").put_object(Bucket=account.outputs(stack)[bucket], Key="file", Body=b"x" * 250_000)


def test_sam_logs_shows_what_the_function_wrote(account: Account, stack: str):
    logs, group = account.client("logs"), f"/aws/lambda/{stack}"
    logs.create_log_stream(logGroupName=group, logStreamName="rehearsed")
    (described,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    now_ms = described["creationTime"]
    event = {"timestamp": now_ms, "message": "failed: a2e_buoy_ingest/morro/x.zip"}
    logs.put_log_events(logGroupName=group, logStreamName="rehearsed", logEvents=[event])
    done = account.run("scripts/sam", "logs", "--config-env", "dev", "--config-file", account.samconfig)
    assert done.returncode == 0, done.stderr
    assert event["message"] in done.stdout
    listed = account.run("scripts/sam", "list", "stack-outputs", "--stack-name", stack, "--output", "json")
    assert INPUTS in [output["OutputValue"] for output in json.loads(listed.stdout)]


def undeploy(account: Account, *options: str, environment: str = "dev") -> subprocess.CompletedProcess[str]:
    """Run scripts/undeploy without a terminal."""
    command = ["scripts/undeploy", environment, "--config-file", account.samconfig, *options]
    return account.run(*command, stdin=subprocess.DEVNULL)


def at_a_terminal(account: Account, answers: dict[str, str]) -> Talk:
    command = ["scripts/undeploy", "dev", "--config-file", str(account.samconfig)]
    return answered(command, ROOT, account.environment, answers)


def files(account: Account) -> int:
    """Return the number of files in both buckets."""
    listed = [account.client("s3").list_objects_v2(Bucket=name) for name in (INPUTS, OUTPUTS)]
    return sum(one["KeyCount"] for one in listed)


def test_nothing_is_deleted_without_confirmation_and_everything_with_it(account: Account, stack: str):
    refused = undeploy(account)
    assert refused.returncode == 2
    assert (
        "There is no terminal to ask for confirmation. Add --keep-data or --delete-data, and --yes." in refused.stderr
    )
    neither = at_a_terminal(account, {"The data in these buckets": "maybe"})
    assert neither.code == 2
    assert "'maybe' is neither keep nor delete. Nothing was changed." in neither.text
    misspelt = at_a_terminal(account, {"The data in these buckets": "delete", f"Type {stack}": "no"})
    assert misspelt.code == 2
    assert "That is not its name. Nothing was changed." in misspelt.text
    assert (files(account), bool(account.made(stack))) == (2, True)

    talk = at_a_terminal(account, {"The data in these buckets": "delete", f"Type {stack}": stack})
    assert talk.code == 0, talk.text
    assert f"stack {stack} in us-west-2, account 000000000000: " in talk.text
    assert f"  {INPUTS}: 1 file, 0.2 MB" in talk.text
    left = [bucket["Name"] for bucket in account.client("s3").list_buckets()["Buckets"]]
    assert not [name for name in left if name.startswith(stack)]
    gone = undeploy(account, "--keep-data", "--yes")
    assert gone.returncode == 2
    assert f"does not exist. AWS_PROFILE selects the account; the stack is {stack} in us-west-2." in gone.stderr


def test_deleted_data_that_should_have_been_kept_is_reported(account: Account):
    # LocalStack ignores DeletionPolicy. So this shows only that a loss is reported.
    stack = account.deployed("default")
    store(account, stack)
    source = account.outputs(stack)["SourceBucketName"]
    done = undeploy(account, "--keep-data", "--yes", environment="default")
    assert done.returncode == 2
    assert f"{source} was deleted with the stack, although DeletionPolicy in template.yaml retains it." in done.stderr
