"""Rehearse `sam deploy` against LocalStack: stacks, resources and notifications, but neither permissions nor runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.template import cfn_yaml
from runner.template.intrinsics import Template
from runner.testing.stacks import eventually
from tests.support.account import ROOT, Account
from tests.support.expansion import REGION, TEMPLATE, expanded
from tests.support.stacks import SHIPPED

pytestmark = [pytest.mark.sam, pytest.mark.timeout(300)]  # the first push compresses 460 MB
KEY = "a2e_buoy_ingest/morro/buoy.z06.00.20201201.000000.zip"
SAMPLE = ROOT / "data/samples" / KEY


def names(stack: str) -> dict[str, str]:
    """Return parameters that give each stack its own names."""
    return {"SourceBucketName": f"{stack}-inputs", "DestinationBucketName": f"{stack}-outputs",
            "LambdaFunctionName": stack}  # fmt: skip


def expected_resources(parameters: dict[str, str]) -> set[str]:
    """Return the logical IDs of the resources that the template creates with these parameters."""
    present, described = Template(TEMPLATE, parameters, REGION).resources, expanded(parameters)["Resources"]
    return {name for name, resource in described.items() if "Condition" not in resource or name in present}


def pause_polling(account: Account, stack: str) -> str:
    """Disable the event source mapping of a stack, so that the queue keeps its messages; return the queue's URL."""
    functions, mapping = account.client("lambda"), account.made(stack)["PipelineFunctionNewFile"]
    functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    eventually(lambda: functions.get_event_source_mapping(UUID=mapping)["State"] == "Disabled", "disabled mapping")
    return account.outputs(stack)["QueueUrl"]


def upload(account: Account, bucket: str, key: str = KEY) -> None:
    account.client("s3").upload_file(str(SAMPLE), bucket, key)


def arrived(account: Account, queue_url: str, key: str = KEY) -> dict[str, Any]:
    """Wait for the message about an object and return it."""
    sqs, seen = account.client("sqs"), []

    def look() -> bool:
        messages = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        seen.extend(message["Body"] for message in messages.get("Messages", []))
        return any(key in body for body in seen)

    eventually(look, f"message about {key} among {seen}")
    return dict(json.loads(next(body for body in seen if key in body)))


@pytest.fixture(scope="module")
def deployed(account: Account) -> str:
    """Return the name of a stack with the defaults of the template and of samconfig.toml."""
    return account.deployed("default")


def test_exactly_the_expected_resources_are_created(account: Account, deployed: str):
    made = account.made(deployed)
    assert made.keys() == expected_resources({})
    buckets = {bucket["Name"] for bucket in account.client("s3").list_buckets()["Buckets"]}
    assert {made["SourceBucket"], made["DestinationBucket"]} == {SHIPPED.source_bucket, SHIPPED.destination_bucket}
    assert {made["SourceBucket"], made["DestinationBucket"]} <= buckets
    versioning = account.client("s3").get_bucket_versioning(Bucket=made["DestinationBucket"])
    assert versioning["Status"] == "Enabled"


def test_the_function_is_the_image_that_was_built(account: Account, deployed: str):
    function = account.client("lambda").get_function(FunctionName=account.made(deployed)["PipelineFunction"])
    assert function["Code"]["ImageUri"].startswith(f"{account.repository}:pipelinefunction")
    described = Template(TEMPLATE, {}, REGION).resources["PipelineFunction"]["Properties"]
    assert function["Configuration"]["Timeout"] == described["Timeout"]
    assert function["Configuration"]["Environment"]["Variables"]["TSDAT_S3_BUCKET_NAME"] == SHIPPED.destination_bucket
    assert "AWS_ENDPOINT_URL" not in function["Configuration"]["Environment"]["Variables"]


def test_the_queue_feeds_the_function_and_failures_go_to_the_dead_letter_queue(account: Account, deployed: str):
    made = account.made(deployed)
    mapping = account.client("lambda").get_event_source_mapping(UUID=made["PipelineFunctionNewFile"])
    assert mapping["EventSourceArn"] == account.outputs(deployed)["QueueArn"]
    assert mapping["FunctionArn"].endswith(f":{made['PipelineFunction']}")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    attributes = account.client("sqs").get_queue_attributes(QueueUrl=made["IngestQueue"], AttributeNames=["All"])
    redrive = json.loads(attributes["Attributes"]["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"].endswith(":tsdat-pipeline-lambda-dlq")


def test_an_upload_arrives_in_the_queue(account: Account, deployed: str):
    queue_url = pause_polling(account, deployed)
    upload(account, SHIPPED.source_bucket)
    (record,) = arrived(account, queue_url)["Records"]
    assert record["s3"]["bucket"]["name"] == SHIPPED.source_bucket
    assert record["s3"]["object"]["size"] == SAMPLE.stat().st_size


def test_a_changed_parameter_changes_nothing_else(account: Account, deployed: str):
    def stored() -> list[str]:
        listed = account.client("s3").list_objects_v2(Bucket=SHIPPED.source_bucket)["Contents"]
        return [entry["Key"] for entry in listed]

    upload(account, SHIPPED.source_bucket, "kept/before.zip")
    before, kept = account.made(deployed), stored()
    output = account.deploy(deployed, MemorySizeMB="2048")
    assert "Successfully created/updated stack" in output
    configuration = account.client("lambda").get_function_configuration(FunctionName=before["PipelineFunction"])
    assert configuration["MemorySize"] == 2048
    assert account.made(deployed) == before
    assert "kept/before.zip" in kept
    assert stored() == kept


def test_an_existing_bucket_notifies_through_eventbridge(account: Account):
    stack, bucket = "existing", "raw-data-of-others"
    account.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    done = account.run("scripts/runner", "notify-eventbridge", bucket)
    assert done.returncode == 0, done.stderr
    parameters = names(stack) | {"Trigger": "existing-bucket", "SourceBucketName": bucket, "SourcePrefix": "a2e_"}
    account.deploy(stack, **parameters)
    assert account.made(stack).keys() == expected_resources(parameters)
    queue_url = pause_polling(account, stack)
    upload(account, bucket, "other/not-for-us.zip")
    upload(account, bucket)
    event = arrived(account, queue_url)
    assert (event["source"], event["detail"]["object"]["key"]) == ("aws.s3", KEY)
    left = account.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])["Attributes"]
    assert left["ApproximateNumberOfMessages"] == "0"


@pytest.fixture(scope="module")
def topical(account: Account) -> tuple[str, str]:
    """Return the names of a stack with an SNS topic, and of the bucket that notifies the topic."""
    stack, bucket = "topical", "raw-data-with-a-topic"
    s3, sns = account.client("s3"), account.client("sns")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    topic = sns.create_topic(Name="new-files")["TopicArn"]
    notify = {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=notify)
    parameters = names(stack) | {"Trigger": "sns-topic", "SourceBucketName": bucket, "SourceTopicArn": topic}
    account.deploy(stack, **parameters)
    assert account.made(stack).keys() == expected_resources(parameters)
    return stack, bucket


def test_a_topic_forwards_the_events_of_its_bucket(account: Account, topical: tuple[str, str]):
    stack, bucket = topical
    queue_url = pause_polling(account, stack)
    upload(account, bucket)
    (record,) = json.loads(arrived(account, queue_url)["Message"])["Records"]
    assert record["s3"]["object"]["key"] == KEY


def test_delete_removes_the_stack_and_the_image(account: Account, topical: tuple[str, str]):
    stack, _ = topical
    image = account.client("lambda").get_function(FunctionName=stack)["Code"]["ImageUri"]
    account.sam("delete", "--stack-name", stack, "--no-prompts")
    stacks = account.client("cloudformation").list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
    assert stack in [one["StackName"] for one in stacks]
    removed = [body["imageIds"][0]["imageTag"] for call, body in account.ecr.calls if call == "BatchDeleteImage"]
    assert removed == [image.rpartition(":")[2]]
    left = account.client("sqs").list_queues().get("QueueUrls", [])
    assert not [url for url in left if url.endswith(f"/{stack}-queue")]


def test_the_template_tells_cloudformation_to_keep_the_data(account: Account, deployed: str, tmp_path: Path):
    # LocalStack ignores it.
    body = tmp_path / "template.yaml"
    body.write_text(account.client("cloudformation").get_template(StackName=deployed)["TemplateBody"])
    deployed_tree = cfn_yaml.load(body)["Resources"]
    for bucket in ("SourceBucket", "DestinationBucket"):
        assert (deployed_tree[bucket]["DeletionPolicy"], deployed_tree[bucket]["UpdateReplacePolicy"]) == (
            "RetainExceptOnCreate", "Retain",
        )  # fmt: skip
