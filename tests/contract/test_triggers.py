"""SNS and EventBridge in front of the queue, as `Trigger` in template.yaml selects them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from runner.messages import s3_events
from tests.contract import queues
from tests.contract.conftest import Cloud

KEY = "a b+é.csv"
MakeQueue, MakeRule, Differs = Callable[..., str], Callable[[], str], Callable[[str, str], None]
SOMEONE_ELSE = "arn:aws:s3:::tsdat-contract-someone-else"


@pytest.fixture
def topic(cloud: Cloud, bucket: str) -> Iterator[str]:
    """Create a topic that receives the bucket's events; return its ARN."""
    sns = cloud.client("sns")
    arn = sns.create_topic(Name=cloud.unique())["TopicArn"]
    statement = {
        "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sns:Publish", "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"}},
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
    cloud.client("s3").put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={"TopicConfigurations": [{"TopicArn": arn, "Events": ["s3:ObjectCreated:*"]}]},
    )
    yield arn
    sns.delete_topic(TopicArn=arn)


@pytest.fixture
def make_rule(cloud: Cloud, bucket: str) -> Iterator[Callable[[], str]]:
    """`make_rule()`: create a rule for the bucket's events; return its ARN."""
    made = []

    def make() -> str:
        pattern = {
            "source": ["aws.s3"], "detail-type": ["Object Created"],
            "detail": {"bucket": {"name": [bucket]}, "object": {"key": [{"prefix": "a"}]}},
        }  # fmt: skip
        name = cloud.unique()
        arn = cloud.client("events").put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"]
        made.append(name)
        cloud.client("s3").put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
        return str(arn)

    yield make
    for name in made:
        cloud.client("events").remove_targets(Rule=name, Ids=["queue"])
        cloud.client("events").delete_rule(Name=name)


@pytest.mark.parametrize("raw", ["true", "false"])
def test_a_topic_passes_the_events_of_a_bucket_on(
    cloud: Cloud, bucket: str, topic: str, make_queue: MakeQueue, raw: str
):
    url = make_queue()
    pattern = {"Records": {"s3": {"bucket": {"name": [bucket]}, "object": {"key": [{"prefix": "a"}]}}}}
    cloud.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=queues.allow(cloud, url, "sns.amazonaws.com", topic),
        Attributes={
            "RawMessageDelivery": raw, "FilterPolicyScope": "MessageBody", "FilterPolicy": json.dumps(pattern)
        },
    )  # fmt: skip
    for key in ("other.csv", KEY):
        cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=b"x")
    (message,) = queues.receive(cloud, url)
    assert queues.is_empty(cloud, url)
    assert [item.key for item in s3_events.parse(message["Body"]).objects] == [KEY]
    assert ("TopicArn" in json.loads(message["Body"])) == (raw == "false")


def test_a_topic_cannot_send_to_a_queue_that_does_not_allow_it(
    cloud: Cloud, bucket: str, topic: str, make_queue: MakeQueue, differs: Differs
):
    differs("localstack", "Policies for topics")
    url = make_queue()
    arn = queues.allow(cloud, url, "sns.amazonaws.com", SOMEONE_ELSE)
    cloud.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    cloud.client("s3").put_object(Bucket=bucket, Key=KEY, Body=b"x")
    assert not queues.receive(cloud, url, patience_s=1)


def test_a_rule_passes_the_events_of_a_bucket_on(
    cloud: Cloud, bucket: str, make_rule: MakeRule, make_queue: MakeQueue, differs: Differs
):
    differs("localstack", "EventBridge")
    url, rule = make_queue(), make_rule()
    arn = queues.allow(cloud, url, "events.amazonaws.com", rule)
    cloud.client("events").put_targets(Rule=rule.rsplit("/", 1)[1], Targets=[{"Id": "queue", "Arn": arn}])
    for key in ("other.csv", KEY):
        cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=b"x")
    (message,) = queues.receive(cloud, url)
    assert queues.is_empty(cloud, url)
    body = json.loads(message["Body"])
    assert (body["source"], body["detail-type"], body["detail"]["object"]["key"]) == ("aws.s3", "Object Created", KEY)
    assert [item.key for item in s3_events.parse(message["Body"]).objects] == [KEY]


def test_a_rule_cannot_send_to_a_queue_that_does_not_allow_it(
    cloud: Cloud, bucket: str, make_rule: MakeRule, make_queue: MakeQueue, differs: Differs
):
    differs("localstack", "No EventBridge")
    differs("ministack", "Policies for rules")
    url, rule = make_queue(), make_rule()
    arn = queues.allow(cloud, url, "events.amazonaws.com", SOMEONE_ELSE)
    cloud.client("events").put_targets(Rule=rule.rsplit("/", 1)[1], Targets=[{"Id": "queue", "Arn": arn}])
    cloud.client("s3").put_object(Bucket=bucket, Key=KEY, Body=b"x")
    assert not queues.receive(cloud, url, patience_s=1)
