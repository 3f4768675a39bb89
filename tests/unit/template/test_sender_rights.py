"""The queue's policy must let the trigger send, for each trigger."""

from pathlib import Path

import pytest

from runner.errors import TemplateError
from runner.template.stack_template import load

TEMPLATE = Path("template.yaml")
TEXT = TEMPLATE.read_text(encoding="utf-8")
QUEUE = "arn:aws:sqs:us-west-2:000000000000:tsdat-pipeline-lambda-queue"
TOPIC = "arn:aws:sns:us-west-2:123456789012:new-files"
NAMED = {"SourceBucketName": "lab-inputs"}
BUCKET = "arn:aws:s3:::lab-inputs"
RULE = "arn:aws:events:us-west-2:000000000000:rule/tsdat-pipeline-lambda-new-file"
TRIGGERS = {
    "s3": NAMED,
    "events": {**NAMED, "Trigger": "existing-bucket"},
    "sns": {**NAMED, "Trigger": "sns-topic", "SourceTopicArn": TOPIC},
}
SENDERS = {"s3": BUCKET, "events": RULE, "sns": TOPIC}


# The lines of the queue's policy that name the bucket.
BUCKET_CONDITION = TEXT[
    TEXT.index("                ArnEquals:\n") : TEXT.index('                StringEquals: {"aws:SourceAccount"')
]
BUCKET_LINE = next(line for line in BUCKET_CONDITION.splitlines() if "${SourceBucketName}" in line)


def edited(folder: Path, old: str, new: str) -> Path:
    assert TEXT.count(old) == 1
    path = folder / "template.yaml"
    path.write_text(TEXT.replace(old, new), encoding="utf-8")
    return path


def expected(service: str, sender: str) -> str:
    return (
        "template.yaml: Resources.IngestQueue.Properties: no AWS::SQS::QueuePolicy lets "
        f"{service}.amazonaws.com send to this queue for {sender}, so no file would arrive. Add this to its "
        f"statements: {{Effect: Allow, Principal: "
        f'{{Service: {service}.amazonaws.com}}, Action: sqs:SendMessage, Resource: "{QUEUE}", Condition: '
        f'{{ArnEquals: {{"aws:SourceArn": "{sender}"}}}}}}'
    )


@pytest.mark.parametrize("service", TRIGGERS)
@pytest.mark.parametrize("new", ["Principal: {Service: lambda.amazonaws.com}", "Principal: {AWS: '123456789012'}"])
def test_a_trigger_that_may_not_send_is_refused_with_the_statement_to_add(tmp_path: Path, service: str, new: str):
    path = edited(tmp_path, f"Principal: {{Service: {service}.amazonaws.com}}\n              Action: sqs", f"{new}\n"
                  "              Action: sqs")  # fmt: skip
    with pytest.raises(TemplateError) as caught:
        load(path, TRIGGERS[service])
    assert str(caught.value) == expected(service, SENDERS[service])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f"{BUCKET_LINE}\n", BUCKET_LINE.replace("${SourceBucketName}", "other") + "\n"),
        ("Queues: [!Ref IngestQueue]", "Queues: [!Ref DeadLetterQueue]"),
    ],
    ids=["of another bucket", "of another queue"],
)  # fmt: skip
def test_a_policy_of_something_else_does_not_count(tmp_path: Path, old: str, new: str):
    with pytest.raises(TemplateError) as caught:
        load(edited(tmp_path, old, new), NAMED)
    assert str(caught.value) == expected("s3", BUCKET)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (BUCKET_CONDITION, "                ArnLike: {\"AWS:SourceARN\": [a, \"arn:aws:s3:*:*:lab-*\"]}\n"),
        ("Principal: {Service: s3.amazonaws.com}", "Principal: \"*\""),
        ("Principal: {Service: s3.amazonaws.com}", "Principal: {Service: [sns.amazonaws.com, s3.amazonaws.com]}"),
        ("  QueuePolicy:\n    Type: AWS::SQS::QueuePolicy\n    Properties:\n      Queues: [!Ref IngestQueue]",
         "  QueuePolicy:\n    Type: AWS::SQS::QueueInlinePolicy\n    Properties:\n      Queue: !Ref IngestQueue"),
    ],
    ids=["pattern", "everyone", "several services", "inline policy"],
)  # fmt: skip
def test_other_forms_of_the_policy_are_understood(tmp_path: Path, old: str, new: str):
    assert load(edited(tmp_path, old, new), NAMED).source_bucket == "lab-inputs"


def test_a_rule_without_a_name_needs_no_condition(tmp_path: Path):
    path = edited(tmp_path, "      Name: !Sub ${LambdaFunctionName}-new-file\n", "")
    assert load(path, TRIGGERS["events"]).event_source.rule
