"""Enable EventBridge for an existing bucket, with the real S3 API: its other notifications stay."""

from __future__ import annotations

import subprocess

import pytest

from runner.aws import clients
from tests.support.stacks import Supervised, runner

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


@pytest.fixture
def bucket(embedded_stack: Supervised) -> str:
    """Create a bucket that has four other notifications."""
    s3, sqs = clients.local_s3(embedded_stack.endpoint_url), clients.local_sqs(embedded_stack.endpoint_url)
    sqs.create_queue(QueueName="others")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": clients.REGION})
    s3.put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration=OTHERS, SkipDestinationValidation=True
    )
    return BUCKET


def test_other_notifications_stay(embedded_stack: Supervised, bucket: str):
    s3, sqs = clients.local_s3(embedded_stack.endpoint_url), clients.local_sqs(embedded_stack.endpoint_url)
    before = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert {name: before[name] for name in OTHERS} == OTHERS
    first = notify(embedded_stack.endpoint_url, bucket)
    told = f"{bucket} now sends its events to EventBridge; its 4 other notifications did not change"
    assert (first.returncode, first.stderr.strip()) == (0, told)
    after = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert after.pop("EventBridgeConfiguration") == {}
    assert {name: after[name] for name in OTHERS} == OTHERS
    second = notify(embedded_stack.endpoint_url, bucket)
    assert second.stderr.strip() == f"{bucket} already sends its events to EventBridge; nothing was changed"
    s3.put_object(Bucket=bucket, Key="still/notified.csv", Body=b"1")
    url = sqs.get_queue_url(QueueName="others")["QueueUrl"]
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    assert "still/notified.csv" in message["Body"]


def test_a_missing_bucket_is_an_error(embedded_stack: Supervised):
    done = notify(embedded_stack.endpoint_url, "nobodys-bucket")
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "error: Notifications of bucket 'nobodys-bucket' cannot be changed: An error occurred (NoSuchBucket) when "
        "calling the GetBucketNotificationConfiguration operation: The specified bucket does not exist. This needs "
        "the permissions s3:GetBucketNotification and s3:PutBucketNotification; AWS_PROFILE and AWS_REGION select "
        "account and region."
    )
