"""Enable EventBridge for an existing bucket, with the real S3 API: its other notifications stay."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from runner.aws import clients
from runner.settings import EmulatorName
from tests.support.emulated import emulator
from tests.support.stacks import runner

BUCKET = "existing-bucket-of-others"
ARN = "arn:aws:{}:us-west-2:000000000000:others"
OTHERS = {
    "QueueConfigurations": [
        {
            "Id": "csv",
            "QueueArn": ARN.format("sqs"),
            "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "Suffix", "Value": ".csv"}]}},
        },
        {"Id": "gone", "QueueArn": ARN.format("sqs"), "Events": ["s3:ObjectRemoved:*"]},
    ],
    "TopicConfigurations": [{"Id": "topic", "TopicArn": ARN.format("sns"), "Events": ["s3:ObjectRestore:*"]}],
    "LambdaFunctionConfigurations": [
        {"Id": "function", "LambdaFunctionArn": ARN.format("lambda").replace("others", "function:others"),
         "Events": ["s3:ObjectTagging:*"]}
    ],
}  # fmt: skip


def notify(endpoint_url: str, bucket: str) -> subprocess.CompletedProcess[str]:
    return runner("notify-eventbridge", bucket, **clients.local_environment(endpoint_url))


@pytest.fixture(scope="module")
def endpoint_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start LocalStack: it keeps the notifications of others as AWS does, letter for letter."""
    with emulator(EmulatorName.LOCALSTACK, tmp_path_factory.mktemp("localstack")) as url:
        yield url


@pytest.fixture(scope="module")
def bucket(endpoint_url: str) -> str:
    """Create a bucket that has four other notifications."""
    s3, sqs = clients.local_s3(endpoint_url), clients.local_sqs(endpoint_url)
    sqs.create_queue(QueueName="others")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": clients.REGION})
    s3.put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration=OTHERS, SkipDestinationValidation=True
    )
    return BUCKET


def test_other_notifications_stay(endpoint_url: str, bucket: str):
    s3, sqs = clients.local_s3(endpoint_url), clients.local_sqs(endpoint_url)
    before = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert {name: before[name] for name in OTHERS} == OTHERS
    first = notify(endpoint_url, bucket)
    told = f"{bucket} now sends its events to EventBridge; its 4 other notifications did not change"
    assert (first.returncode, first.stderr.strip()) == (0, told)
    after = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert after.pop("EventBridgeConfiguration") == {}
    assert {name: after[name] for name in OTHERS} == OTHERS
    second = notify(endpoint_url, bucket)
    assert second.stderr.strip() == f"{bucket} already sends its events to EventBridge; nothing was changed"
    s3.put_object(Bucket=bucket, Key="still/notified.csv", Body=b"1")
    url = sqs.get_queue_url(QueueName="others")["QueueUrl"]
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    assert "still/notified.csv" in message["Body"]


def test_a_bucket_in_another_region_is_not_changed(endpoint_url: str, bucket: str):
    elsewhere = {
        **clients.local_environment(endpoint_url),
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    done = runner("notify-eventbridge", bucket, **elsewhere)
    assert (done.returncode, done.stderr.strip()) == (
        2,
        f"error: Bucket '{bucket}' is in us-west-2, and not in eu-west-1: S3 sends its events to EventBridge in "
        "us-west-2 only. Deploy the stack there (region in samconfig.toml) and use AWS_REGION=us-west-2. Nothing was "
        "changed.",
    )


def test_a_bucket_of_another_account_is_not_changed(endpoint_url: str, bucket: str):
    # LocalStack takes a key ID of twelve digits for an account's number, and lets everybody see every bucket.
    mine = {**clients.local_environment(endpoint_url), "AWS_ACCESS_KEY_ID": "111111111111"}
    done = runner("notify-eventbridge", bucket, **mine)
    assert (done.returncode, done.stderr.strip()) == (
        2,
        f"error: Bucket '{bucket}' does not belong to account 111111111111: S3 sends its events to EventBridge in its "
        "owner's account, and a stack in yours receives none. Have the owner send them to an SNS topic, and deploy "
        "with Trigger=sns-topic (docs/triggers.md). Nothing was changed.",
    )


def test_a_missing_bucket_is_an_error(endpoint_url: str):
    done = notify(endpoint_url, "nobodys-bucket")
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "error: Notifications of bucket 'nobodys-bucket' cannot be changed: An error occurred (NoSuchBucket) when "
        "calling the GetBucketNotificationConfiguration operation: The specified bucket does not exist. This needs "
        "the permissions s3:GetBucketNotification, s3:PutBucketNotification and s3:ListAllMyBuckets; AWS_PROFILE and "
        "AWS_REGION select account and region."
    )
