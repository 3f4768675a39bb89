"""Which stack an environment of samconfig.toml names."""

import tomllib
from pathlib import Path

import pytest

from runner.cli.deploy.stacks import Target, made_buckets, target
from runner.errors import SettingsError

SHIPPED = tomllib.loads(Path("samconfig.toml").read_text())


@pytest.mark.parametrize(
    ("environment", "stack"),
    [("default", "tsdat-pipeline-stack"), ("dev", "tsdat-pipeline-dev"), ("prod", "tsdat-pipeline-prod")],
)
def test_the_shipped_environments(environment: str, stack: str):
    assert target(SHIPPED, environment) == Target(stack, "us-west-2")


def test_parameters_that_guided_saved_for_deploy_override_the_global_ones():
    samconfig = {"own": {"global": {"parameters": {"stack_name": "a", "region": "us-west-2"}},
                         "deploy": {"parameters": {"stack_name": "b"}}}}  # fmt: skip
    assert target(samconfig, "own") == Target("b", "us-west-2")


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ("test", "samconfig.toml has no environment 'test'. Known: own."),
        ("own", "samconfig.toml: [own.global.parameters] has no stack_name and no region. Add it."),
    ],
)
def test_missing_parameters_are_named(environment: str, text: str):
    with pytest.raises(SettingsError) as error:
        target({"version": 0.1, "own": {}}, environment)
    assert str(error.value) == text


def test_a_bucket_that_failed_to_be_created_is_not_the_stacks():
    # As ListStackResources returns them after an update that added two buckets, one of whose names was taken.
    resources = [
        {"ResourceType": "AWS::S3::Bucket", "PhysicalResourceId": name, "ResourceStatus": status}
        for name, status in {
            "made": "CREATE_COMPLETE", "changed": "UPDATE_COMPLETE", "kept": "DELETE_SKIPPED",
            "of-somebody-else": "CREATE_FAILED", "rolled-back": "DELETE_COMPLETE", "in-between": "CREATE_IN_PROGRESS",
            "not-replaced": "UPDATE_FAILED",
        }.items()
    ]  # fmt: skip
    resources.append(
        {"ResourceType": "AWS::SQS::Queue", "PhysicalResourceId": "q", "ResourceStatus": "CREATE_COMPLETE"}
    )
    made, others = made_buckets(resources)
    assert made == ["made", "changed", "kept"]
    assert others == {
        "of-somebody-else": "CREATE_FAILED", "rolled-back": "DELETE_COMPLETE", "in-between": "CREATE_IN_PROGRESS",
        "not-replaced": "UPDATE_FAILED",
    }  # fmt: skip
