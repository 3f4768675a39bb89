"""The destination bucket is missing, or the Lambda may not write to it: files fail with that reason and are kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest

from runner.aws import clients
from runner.template.stack_template import StackTemplate
from runner.testing.stacks import Stack, eventually
from tests.support.commands import agrees, message
from tests.support.digests import expected, project
from tests.support.gatekeeper import Gatekeeper
from tests.support.ledger import balanced
from tests.support.stacks import runner, running_on


@pytest.fixture(scope="module")
def keeper(described: StackTemplate) -> Iterator[Gatekeeper]:
    made = Gatekeeper(described.destination_bucket)
    yield made
    made.stop()


@pytest.fixture(scope="module", params=["embedded", "docker"])
def stack(
    request: pytest.FixtureRequest, keeper: Gatekeeper, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """One whose Lambda, without Docker, reaches S3 through the gatekeeper, as template.yaml can say."""
    folder = tmp_path_factory.mktemp("destination")
    bucket = "TSDAT_S3_BUCKET_NAME: !Ref DestinationBucketName"
    through = f"{bucket}\n          AWS_ENDPOINT_URL_S3: {keeper.url}" if request.param == "embedded" else bucket
    root = project(folder / "project", TSDAT_S3_BUCKET_NAME=through)
    with running_on(request.param, folder / "data", root) as made:
        keeper.endpoint_url = made.endpoint_url
        yield made


@pytest.mark.parametrize("stack", ["embedded"], indirect=True)
def test_a_denied_bucket(stack: Stack, keeper: Gatekeeper, described: StackTemplate):
    before, denied, after = (f"denied/noop.{when}.txt" for when in ("before", "denied", "after"))
    stack.put(before.encode(), before)
    assert stack.final(before).outcome == "succeeded"
    keeper.denied = True
    stack.put(denied.encode(), denied)
    run = stack.final(denied)
    keeper.denied = False
    assert keeper.refused >= 3
    assert (run.outcome, run.attempt, run.record["outputs"]) == ("dead-lettered", 3, [])
    stack.put(after.encode(), after)
    assert stack.final(after).outcome == "succeeded"
    assert balanced(stack, described, expected).outcomes[denied] == "dead-lettered"
    assert message(stack, denied) == (
        "An error occurred (AccessDenied) when calling the PutObject operation: User: "
        "arn:aws:sts::000000000000:assumed-role/pipeline is not authorized to perform: s3:PutObject"
    )


def test_a_missing_bucket(stack: Stack, described: StackTemplate):
    bucket, s3 = described.destination_bucket, clients.local_s3(stack.endpoint_url)
    key, before = "missing/noop.txt", "missing/noop.before.txt"
    stack.put(before.encode(), before)
    assert stack.final(before).outcome == "succeeded"
    held = {item["Key"]: s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in
            s3.list_objects_v2(Bucket=bucket).get("Contents", [])}  # fmt: skip
    for version in s3.list_object_versions(Bucket=bucket)["Versions"]:
        s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    with suppress(s3.exceptions.NoSuchBucket):  # boto3 asks again when the answer is late, and it is gone then
        s3.delete_bucket(Bucket=bucket)
    assert bucket not in [made["Name"] for made in s3.list_buckets()["Buckets"]]
    stack.put(key.encode(), key)
    run = stack.final(key)
    assert (run.outcome, run.attempt, run.record["outputs"]) == ("dead-lettered", 3, [])
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": clients.REGION})
    for name, content in held.items():
        s3.put_object(Bucket=bucket, Key=name, Body=content)
    assert balanced(stack, described, expected).outcomes[key] == "dead-lettered"
    assert message(stack, key) == (
        "An error occurred (NoSuchBucket) when calling the PutObject operation: The specified bucket does not exist"
    )


def test_when_the_bucket_is_right_again_a_retry_brings_all_through(stack: Stack, described: StackTemplate):
    keys = [key for key, outcome in balanced(stack, described, expected).outcomes.items() if outcome == "dead-lettered"]
    assert keys
    done = runner("retry", "--all", "--data", stack.data)
    assert done.returncode == 0, done.stderr
    for key in keys:
        eventually(lambda key=key: stack.runs_of(key)[-1].outcome == "succeeded", f"success of {key}")
    assert set(agrees(stack, described, expected).outcomes.values()) == {"succeeded"}
