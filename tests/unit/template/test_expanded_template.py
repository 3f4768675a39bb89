"""Rules for every combination of the template's conditions after SAM has expanded it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

from runner.template.intrinsics import Template
from tests.support.expansion import REGION, TEMPLATE, VARIANTS, expanded, references
from tests.support.stacks import SHIPPED

# Lists of keys, and the streams of one log group.
WILDCARDS = {
    *(
        f"arn:aws:s3:::{name}/{prefix}*"
        for name in ("raw", SHIPPED.source_bucket)
        for prefix in ("", "a2e_buoy_ingest/")
    ),
    f"arn:aws:s3:::{SHIPPED.destination_bucket}/*",
    f"arn:aws:logs:{REGION}:000000000000:log-group:/aws/lambda/tsdat-pipeline-lambda:*",
}
ENCRYPTED = {
    "AWS::S3::Bucket": ("BucketEncryption", {
        "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
    }),
    "AWS::SQS::Queue": ("SqsManagedSseEnabled", True),
}  # fmt: skip
# AWS encrypts logs and images itself; the others hold no data. Alarms do not contain file names.
HOLDS_NO_DATA = {
    "AWS::Lambda::Function", "AWS::Lambda::EventSourceMapping", "AWS::IAM::Role", "AWS::Logs::LogGroup",
    "AWS::CloudWatch::Alarm", "AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy",
    "AWS::Events::Rule", "AWS::SNS::Subscription", "AWS::SNS::Topic", "AWS::Scheduler::Schedule",
}  # fmt: skip


def name_of(variant: dict[str, str]) -> str:
    hidden = ("Trigger", "SourceBucketName", "SourceTopicArn")
    return "+".join([variant["Trigger"], *(name for name in variant if name not in hidden)])


class Variant:
    """An expanded template with its conditions resolved."""

    def __init__(self, parameters: dict[str, str], folder: Path, source: Path = TEMPLATE) -> None:
        self.parameters = parameters
        path = folder / "expanded.json"
        path.write_text(json.dumps(expanded(parameters, source)))
        self.template = Template(path, {}, REGION)
        self.resources = self.template.resources

    def of_type(self, kind: str) -> dict[str, Any]:
        return {name: resource for name, resource in self.resources.items() if resource["Type"] == kind}

    def value(self, name: str, *path: str) -> Any:
        node = self.resources[name]["Properties"]
        for step in path:
            node = node[step]
        return self.template.value(node, name)

    def arn(self, name: str) -> str:
        return str(self.template.value({"Fn::GetAtt": [name, "Arn"]}, name))

    def statements(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield all policy statements, each with the resource that contains it."""
        for name, resource in self.resources.items():
            if resource["Type"] == "AWS::SNS::TopicPolicy":
                # Only AWS knows the ARN that Ref returns for a topic.
                yield from ((name, one) for one in resource["Properties"]["PolicyDocument"]["Statement"])
            elif "PolicyDocument" in resource["Properties"]:
                yield from ((name, one) for one in self.value(name, "PolicyDocument", "Statement"))
            elif resource["Type"] == "AWS::IAM::Role":
                for policy in self.value(name, "Policies"):
                    yield from ((name, one) for one in policy["PolicyDocument"]["Statement"])


@pytest.fixture(params=VARIANTS, ids=name_of)
def variant(request: pytest.FixtureRequest, tmp_path: Path) -> Variant:
    return Variant(request.param, tmp_path)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_visibility_timeout_is_six_times_the_function_timeout(variant: Variant):
    assert variant.value("IngestQueue", "VisibilityTimeout") >= 6 * variant.value("PipelineFunction", "Timeout")


def test_event_source_mapping_is_valid_and_reports_failed_items(variant: Variant):
    (name,) = variant.of_type("AWS::Lambda::EventSourceMapping")
    assert variant.value(name, "ScalingConfig", "MaximumConcurrency") >= 2
    assert variant.value(name, "FunctionResponseTypes") == ["ReportBatchItemFailures"]
    assert variant.value(name, "EventSourceArn") == variant.arn("IngestQueue")


def test_failed_messages_are_kept_in_the_dead_letter_queue(variant: Variant):
    assert variant.value("IngestQueue", "RedrivePolicy")["deadLetterTargetArn"] == variant.arn("DeadLetterQueue")
    days = [variant.value(name, "MessageRetentionPeriod") / 86_400 for name in ("IngestQueue", "DeadLetterQueue")]
    assert days == [14, 14]
    assert variant.value("IngestQueue", "RedrivePolicy")["maxReceiveCount"] >= 5  # as AWS advises for Lambda


def test_only_the_queue_sends_to_its_dead_letter_queue(variant: Variant):
    # SQS cannot move back a message that something else has sent.
    dead, undelivered = variant.arn("DeadLetterQueue"), variant.arn("ScheduleDeadLetterQueue")
    allowed = [one for _, one in variant.statements() if one["Effect"] == "Allow"]
    assert not [one for one in allowed if dead in as_list(one["Resource"])]
    schedules = variant.of_type("AWS::Scheduler::Schedule")
    assert schedules
    for name in schedules:
        assert variant.value(name, "Target", "DeadLetterConfig") == {"Arn": undelivered}
    (sending,) = [one for name, one in variant.statements() if name == "ScheduleRole"]
    assert as_list(sending["Resource"]) == [variant.arn("IngestQueue"), undelivered]


def test_only_the_chosen_trigger_may_send_to_the_queue(variant: Variant):
    source = variant.parameters
    triggers = {
        "new-bucket": ("SourceBucket", "s3", f"arn:aws:s3:::{SHIPPED.source_bucket}"),
        "existing-bucket": ("NewFileRule", "events",
                            f"arn:aws:events:{REGION}:000000000000:rule/tsdat-pipeline-lambda-new-file"),
        "sns-topic": ("TopicSubscription", "sns", source.get("SourceTopicArn")),
    }  # fmt: skip
    name, service, arn = triggers[source["Trigger"]]
    assert [other for other, *_ in triggers.values() if other in variant.resources] == [name]
    assert variant.resources[name]["DependsOn"] == "QueuePolicy"
    assert variant.arn("IngestQueue") in json.dumps(variant.template.value(variant.resources[name]["Properties"], name))
    allowed = [one for policy, one in variant.statements() if policy == "QueuePolicy" and one["Effect"] == "Allow"]
    assert [(one["Principal"], one["Action"], one["Resource"]) for one in allowed] == [
        ({"Service": f"{service}.amazonaws.com"}, "sqs:SendMessage", variant.arn("IngestQueue"))
    ]
    assert allowed[0]["Condition"]["ArnEquals"] == {"aws:SourceArn": arn}


def test_prefix_applies_to_every_trigger_and_to_the_role(variant: Variant):
    prefix = variant.parameters.get("SourcePrefix", "")
    (name,) = {"SourceBucket", "NewFileRule", "TopicSubscription"} & variant.resources.keys()
    trigger = json.dumps(variant.template.value(variant.resources[name]["Properties"], name))
    assert ("prefix" in trigger.lower()) == bool(prefix)
    assert prefix in trigger
    readable = [as_list(one["Resource"]) for policy, one in variant.statements() if policy == "PipelineRole"]
    bucket = variant.parameters.get("SourceBucketName", SHIPPED.source_bucket)
    assert [f"arn:aws:s3:::{bucket}/{prefix}*"] in readable


def test_allow_statements_name_actions_and_resources(variant: Variant):
    allowed = [one for _, one in variant.statements() if one["Effect"] == "Allow"]
    assert len(allowed) >= 6
    for one in allowed:
        assert not [action for action in as_list(one["Action"]) if "*" in action]
        assert {arn for arn in as_list(one["Resource"]) if "*" in arn} <= WILDCARDS
        assert one.get("Principal") != "*"
        assert "NotAction" not in one
        assert "NotResource" not in one
    assert not [
        role for role in variant.of_type("AWS::IAM::Role").values() if "ManagedPolicyArns" in role["Properties"]
    ]


def test_nothing_is_public(variant: Variant):
    for name in variant.of_type("AWS::S3::Bucket"):
        private = variant.value(name, "PublicAccessBlockConfiguration")
        assert len(private) == 4
        assert all(private.values())
        assert variant.value(name, "OwnershipControls") == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        assert "AccessControl" not in variant.resources[name]["Properties"]
    assert not variant.of_type("AWS::Lambda::Url")


def test_requests_without_tls_are_denied(variant: Variant):
    denied = [
        json.dumps(one["Resource"])
        for _, one in variant.statements()
        if (one["Effect"], one.get("Principal")) == ("Deny", "*")
        and one["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    ]
    guarded = [variant.arn(name) for kind in ENCRYPTED for name in variant.of_type(kind)]
    assert len(guarded) >= 3
    assert [arn for arn in guarded if not any(f'"{arn}"' in resources for resources in denied)] == []
    assert len(denied) == len(guarded) + len(variant.of_type("AWS::SNS::Topic"))


def test_data_is_encrypted_at_rest(variant: Variant):
    for name, resource in variant.resources.items():
        kind = resource["Type"]
        if kind in ENCRYPTED:
            key, expected = ENCRYPTED[kind]
            assert variant.value(name, key) == expected
        else:
            assert kind in HOLDS_NO_DATA, f"{kind} is new here: encrypt it, or add it to HOLDS_NO_DATA"


def test_buckets_are_retained_when_the_stack_is_deleted(variant: Variant):
    buckets = variant.of_type("AWS::S3::Bucket")
    assert len(buckets) == 1 + (variant.parameters["Trigger"] == "new-bucket")
    for bucket in buckets.values():
        assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert variant.value("DestinationBucket", "VersioningConfiguration") == {"Status": "Enabled"}


def test_alarms_are_sent_to_the_given_recipients(variant: Variant):
    alarms = variant.of_type("AWS::CloudWatch::Alarm")
    queues = {name: [one["Value"] for one in variant.value(name, "Dimensions")] for name in alarms}
    assert queues == {
        "FailedFilesAlarm": ["tsdat-pipeline-lambda-dlq"], "WaitingFilesAlarm": ["tsdat-pipeline-lambda-queue"],
        "UndeliveredSchedulesAlarm": ["tsdat-pipeline-lambda-schedules-dlq"],
    }  # fmt: skip
    wanted = ("AlarmTopicArn" in variant.parameters) + ("AlarmEmail" in variant.parameters)
    for alarm in alarms.values():
        # Only AWS knows the ARN of the topic for email.
        chosen = [action["Fn::If"] for action in alarm["Properties"]["AlarmActions"]]
        recipients = [then for condition, then, _ in chosen if holds(variant, condition)]
        assert len(recipients) == wanted
    assert ("AlarmTopic" in variant.resources) == ("AlarmEmail" in variant.parameters)


def holds(variant: Variant, condition: str) -> bool:
    return bool(variant.template.value({"Fn::If": [condition, True, False]}, condition))


def dependency_cycle(variant: Variant) -> list[str]:
    """Return resources that depend on each other in a cycle; empty if there are none."""
    graph = {name: set(references(one)) & variant.resources.keys() for name, one in variant.resources.items()}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        return list(error.args[1])
    return []


def test_resources_have_no_dependency_cycle(variant: Variant):
    assert dependency_cycle(variant) == []


def test_cycle_would_be_found_with_an_arn_instead_of_a_name(tmp_path: Path):
    by_name = '- !Sub "arn:${AWS::Partition}:s3:::${LambdaFunctionName}-inputs-${AWS::AccountId}-${AWS::Region}"'
    text = TEMPLATE.read_text()
    assert by_name in text
    other = tmp_path / "template.yaml"
    other.write_text(text.replace(by_name, "- !GetAtt SourceBucket.Arn"))
    found = dependency_cycle(Variant({"Trigger": "new-bucket"}, tmp_path, other))
    assert set(found) == {"SourceBucket", "QueuePolicy"}


# From each service's quotas; names that CloudFormation generates are not listed.
LONGEST_NAMES = {
    "BucketName": 63, "QueueName": 80, "FunctionName": 64, "AlarmName": 255, "TopicName": 256, "LogGroupName": 512,
    "Name": 64,
}  # fmt: skip


@pytest.mark.parametrize("trigger", ["new-bucket", "existing-bucket"])
def test_the_longest_function_name_leaves_room_for_the_names_derived_from_it(trigger: str, tmp_path: Path):
    pattern = str(Template(TEMPLATE, {}, REGION).section("Parameters")["LambdaFunctionName"]["AllowedPattern"])
    longest = next("a" * length for length in range(200, 0, -1) if re.fullmatch(pattern, "a" * length))
    long = Variant({"Trigger": trigger, "LambdaFunctionName": longest, "AlarmEmail": "you@example.org"}, tmp_path)
    named = [
        (kind, str(long.template.value(one["Properties"][kind], name)).replace(REGION, "us-isof-south-1"))
        for name, one in long.resources.items()
        for kind in LONGEST_NAMES.keys() & one["Properties"].keys()
        if one["Type"] != "AWS::Lambda::EventSourceMapping"  # it only refers to the function
    ]
    assert len(named) >= 8
    assert [name for _, name in named if longest not in name] == []
    assert [name for kind, name in named if len(name) > LONGEST_NAMES[kind]] == []


def test_roles_have_the_path_and_the_boundary_that_an_institution_requires(tmp_path: Path):
    boundary = "arn:aws:iam::123456789012:policy/boundary"
    for parameters, path, limit in (
        ({}, "/", None),
        ({"RolePath": "/projects/", "PermissionsBoundaryArn": boundary}, "/projects/", boundary),
    ):
        variant = Variant({"Trigger": "new-bucket", **parameters}, tmp_path)
        roles = variant.of_type("AWS::IAM::Role")
        assert len(roles) == 2
        for name in roles:
            assert (variant.value(name, "Path"), variant.value(name, "PermissionsBoundary")) == (path, limit)
