"""The destination bucket is missing or read-only: files fail with that error and can be retried."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest

from runner.aws import clients
from runner.template.stack_template import StackTemplate
from runner.testing.stacks import Stack, eventually
from tests.support.commands import command, failure_message, verify_reconcile
from tests.support.denying_proxy import DenyingProxy
from tests.support.digests import expected, project
from tests.support.outcomes import verify_outcomes
from tests.support.stacks import BACKENDS, running_on


@pytest.fixture(scope="module")
def proxy(described: StackTemplate) -> Iterator[DenyingProxy]:
    made = DenyingProxy(described.destination_bucket)
    yield made
    made.stop()


@pytest.fixture(scope="module", params=BACKENDS)
def stack(
    request: pytest.FixtureRequest, proxy: DenyingProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Start a stack; without Docker, template.yaml directs its Lambda to S3 through the proxy."""
    folder = tmp_path_factory.mktemp("destination")
    bucket = "TSDAT_S3_BUCKET_NAME: !Ref DestinationBucket"
    through = f"{bucket}\n          AWS_ENDPOINT_URL_S3: {proxy.url}" if request.param == "embedded" else bucket
    root = project(folder / "project", TSDAT_S3_BUCKET_NAME=through)
    with running_on(request.param, folder / "data", root) as made:
        proxy.endpoint_url = made.endpoint_url
        yield made


@pytest.mark.parametrize("stack", ["embedded"], indirect=True)
def test_a_bucket_that_denies_writes(stack: Stack, proxy: DenyingProxy, described: StackTemplate):
    before, denied, after = (f"denied/noop.{when}.txt" for when in ("before", "denied", "after"))
    stack.put(before.encode(), before)
    assert stack.final(before).outcome == "succeeded"
    proxy.denied = True
    stack.put(denied.encode(), denied)
    run = stack.final(denied)
    proxy.denied = False
    assert proxy.refused >= 3
    assert (run.outcome, run.attempt, run.record["outputs"]) == ("dead-lettered", 3, [])
    stack.put(after.encode(), after)
    assert stack.final(after).outcome == "succeeded"
    assert verify_outcomes(stack, described, expected).outcomes[denied] == "dead-lettered"
    assert failure_message(stack, denied) == (
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
    with suppress(s3.exceptions.NoSuchBucket):  # boto3 repeats the request when the response is late
        s3.delete_bucket(Bucket=bucket)
    assert bucket not in [made["Name"] for made in s3.list_buckets()["Buckets"]]
    stack.put(key.encode(), key)
    run = stack.final(key)
    assert (run.outcome, run.attempt, run.record["outputs"]) == ("dead-lettered", 3, [])
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": clients.REGION})
    for name, content in held.items():
        s3.put_object(Bucket=bucket, Key=name, Body=content)
    assert verify_outcomes(stack, described, expected).outcomes[key] == "dead-lettered"
    assert failure_message(stack, key) == (
        "An error occurred (NoSuchBucket) when calling the PutObject operation: The specified bucket does not exist\n"
        f"The bucket is {bucket}."
    )


def test_a_retry_succeeds_after_the_bucket_is_fixed(stack: Stack, described: StackTemplate):
    outcomes = verify_outcomes(stack, described, expected).outcomes
    keys = [key for key, outcome in outcomes.items() if outcome == "dead-lettered"]
    assert keys
    done = command("retry", "--all", "--data", stack.data)
    assert done.returncode == 0, done.stderr
    for key in keys:
        eventually(lambda key=key: stack.runs_of(key)[-1].outcome == "succeeded", f"success of {key}")
    assert set(verify_reconcile(stack, described, expected).outcomes.values()) == {"succeeded"}
