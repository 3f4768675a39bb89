"""A rehearsal of `sam deploy` against LocalStack: real stacks, resources, notifications; no rights, no runs."""

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

pytestmark = pytest.mark.timeout(300)  # the first push compresses 460 MB
KEY = "a2e_buoy_ingest/morro/buoy.z06.00.20201201.000000.zip"
SAMPLE = ROOT / "data/samples" / KEY


def names(stack: str) -> dict[str, str]:
    """Parameters that keep stacks apart."""
    return {"SourceBucketName": f"{stack}-inputs", "DestinationBucketName": f"{stack}-outputs",
            "LambdaFunctionName": stack}  # fmt: skip


def promised(parameters: dict[str, str]) -> set[str]:
    """The logical ids of what the template makes with these parameters."""
    present, described = Template(TEMPLATE, parameters, REGION).resources, expanded(parameters)["Resources"]
    return {name for name, resource in described.items() if "Condition" not in resource or name in present}


def listen(account: Account, stack: str) -> str:
    """Keep Lambda away from a stack's queue, so that its messages can be looked at; gives the queue's URL."""
    functions, mapping = account.client("lambda"), account.made(stack)["PipelineFunctionNewFile"]
    functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    eventually(lambda: functions.get_event_source_mapping(UUID=mapping)["State"] == "Disabled", "end of the polling")
    return account.outputs(stack)["QueueUrl"]


def upload(account: Account, bucket: str, key: str = KEY) -> None:
    account.client("s3").upload_file(str(SAMPLE), bucket, key)


def arrived(account: Account, queue_url: str, key: str = KEY) -> dict[str, Any]:
    """The message about an object, once it is in the queue; others are left."""
    sqs, seen = account.client("sqs"), []

    def look() -> bool:
        messages = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        seen.extend(message["Body"] for message in messages.get("Messages", []))
        return any(key in body for body in seen)

    eventually(look, f"message about {key} among {seen}")
    return dict(json.loads(next(body for body in seen if key in body)))


@pytest.fixture(scope="module")
def deployed(account: Account) -> str:
    """The name of a stack with the defaults of the template and of samconfig.toml."""
    return account.deployed("default")


def test_everything_is_made_and_nothing_else(account: Account, deployed: str):
    made = account.made(deployed)
    assert made.keys() == promised({})
    buckets = {bucket["Name"] for bucket in account.client("s3").list_buckets()["Buckets"]}
    assert {made["SourceBucket"], made["DestinationBucket"]} == {"tsdat-pipeline-inputs", "tsdat-pipeline-outputs"}
    assert {made["SourceBucket"], made["DestinationBucket"]} <= buckets
    versioning = account.client("s3").get_bucket_versioning(Bucket=made["DestinationBucket"])
    assert versioning["Status"] == "Enabled"


def test_the_function_is_the_image_that_was_built(account: Account, deployed: str):
    function = account.client("lambda").get_function(FunctionName=account.made(deployed)["PipelineFunction"])
    assert function["Code"]["ImageUri"].startswith(f"{account.repository}:pipelinefunction")
    described = Template(TEMPLATE, {}, REGION).resources["PipelineFunction"]["Properties"]
    assert function["Configuration"]["Timeout"] == described["Timeout"]
    assert function["Configuration"]["Environment"]["Variables"]["TSDAT_S3_BUCKET_NAME"] == "tsdat-pipeline-outputs"
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
    queue_url = listen(account, deployed)
    upload(account, "tsdat-pipeline-inputs")
    (record,) = arrived(account, queue_url)["Records"]
    assert record["s3"]["bucket"]["name"] == "tsdat-pipeline-inputs"
    assert record["s3"]["object"]["size"] == SAMPLE.stat().st_size


def test_a_changed_parameter_changes_that_alone(account: Account, deployed: str):
    def stored() -> list[str]:
        listed = account.client("s3").list_objects_v2(Bucket="tsdat-pipeline-inputs")["Contents"]
        return [entry["Key"] for entry in listed]

    upload(account, "tsdat-pipeline-inputs", "kept/before.zip")
    before, kept = account.made(deployed), stored()
    said = account.deploy(deployed, MemorySizeMB="2048")
    assert "Successfully created/updated stack" in said
    configuration = account.client("lambda").get_function_configuration(FunctionName=before["PipelineFunction"])
    assert configuration["MemorySize"] == 2048
    assert account.made(deployed) == before
    assert "kept/before.zip" in kept
    assert stored() == kept


def test_an_existing_bucket_tells_by_eventbridge_once_it_was_asked_to(account: Account):
    stack, bucket = "existing", "raw-data-of-others"
    account.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    done = account.run("scripts/runner", "notify-eventbridge", bucket)
    assert done.returncode == 0, done.stderr
    parameters = names(stack) | {"Trigger": "existing-bucket", "SourceBucketName": bucket, "SourcePrefix": "a2e_"}
    account.deploy(stack, **parameters)
    assert account.made(stack).keys() == promised(parameters)
    queue_url = listen(account, stack)
    upload(account, bucket, "other/not-for-us.zip")
    upload(account, bucket)
    event = arrived(account, queue_url)
    assert (event["source"], event["detail"]["object"]["key"]) == ("aws.s3", KEY)
    left = account.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])["Attributes"]
    assert left["ApproximateNumberOfMessages"] == "0"


@pytest.fixture(scope="module")
def topical(account: Account) -> tuple[str, str]:
    """The name of a stack that a topic feeds, and of the bucket that tells the topic."""
    stack, bucket = "topical", "raw-data-with-a-topic"
    s3, sns = account.client("s3"), account.client("sns")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    topic = sns.create_topic(Name="new-files")["TopicArn"]
    notify = {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=notify)
    parameters = names(stack) | {"Trigger": "sns-topic", "SourceBucketName": bucket, "SourceTopicArn": topic}
    account.deploy(stack, **parameters)
    assert account.made(stack).keys() == promised(parameters)
    return stack, bucket


def test_a_topic_passes_on_what_its_bucket_tells(account: Account, topical: tuple[str, str]):
    stack, bucket = topical
    queue_url = listen(account, stack)
    upload(account, bucket)
    (record,) = json.loads(arrived(account, queue_url)["Message"])["Records"]
    assert record["s3"]["object"]["key"] == KEY


def test_delete_takes_the_stack_and_the_image(account: Account, topical: tuple[str, str]):
    stack, _ = topical
    image = account.client("lambda").get_function(FunctionName=stack)["Code"]["ImageUri"]
    account.sam("delete", "--stack-name", stack, "--no-prompts")
    stacks = account.client("cloudformation").list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
    assert stack in [one["StackName"] for one in stacks]
    removed = [asked["imageIds"][0]["imageTag"] for call, asked in account.ecr.asked if call == "BatchDeleteImage"]
    assert removed == [image.rpartition(":")[2]]
    left = account.client("sqs").list_queues().get("QueueUrls", [])
    assert not [url for url in left if url.endswith(f"/{stack}-queue")]


def test_cloudformation_is_told_to_keep_the_data(account: Account, deployed: str, tmp_path: Path):
    # LocalStack does not do so; that AWS does is AWS's word.
    body = tmp_path / "template.yaml"
    body.write_text(account.client("cloudformation").get_template(StackName=deployed)["TemplateBody"])
    told = cfn_yaml.load(body)["Resources"]
    for bucket in ("SourceBucket", "DestinationBucket"):
        assert told[bucket]["DeletionPolicy"] == told[bucket]["UpdateReplacePolicy"] == "Retain"
