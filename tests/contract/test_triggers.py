"""SNS and EventBridge in front of the queue, as `Trigger` in template.yaml selects them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from runner.messages import s3_events
from tests.contract import queues
from tests.contract.conftest import Cloud

KEY = "a b+é.csv"


@pytest.mark.parametrize("raw", ["true", "false"])
def test_a_topic_passes_the_events_of_a_bucket_on(cloud: Cloud, bucket: str, make_queue: Callable[..., str], raw: str):
    sns, s3, url = cloud.client("sns"), cloud.client("s3"), make_queue()
    topic = sns.create_topic(Name=cloud.unique())["TopicArn"]
    statement = {
        "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sns:Publish", "Resource": topic,
        "Condition": {"ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"}},
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    pattern = {"Records": {"s3": {"bucket": {"name": [bucket]}, "object": {"key": [{"prefix": "a"}]}}}}
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=queues.allow(cloud, url, "sns.amazonaws.com", topic),
        Attributes={
            "RawMessageDelivery": raw, "FilterPolicyScope": "MessageBody", "FilterPolicy": json.dumps(pattern)
        },
    )  # fmt: skip
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]},
    )
    for key in ("other.csv", KEY):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    (message,) = queues.receive(cloud, url)
    assert queues.is_empty(cloud, url)
    assert [item.key for item in s3_events.parse(message["Body"]).objects] == [KEY]
    assert ("TopicArn" in json.loads(message["Body"])) == (raw == "false")
    sns.delete_topic(TopicArn=topic)


def test_a_rule_passes_the_events_of_a_bucket_on(
    cloud: Cloud, bucket: str, make_queue: Callable[..., str], differs: Callable[[str, str], None]
):
    differs("localstack", "EventBridge")
    events, s3, url, name = cloud.client("events"), cloud.client("s3"), make_queue(), cloud.unique()
    pattern = {
        "source": ["aws.s3"], "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [bucket]}, "object": {"key": [{"prefix": "a"}]}},
    }  # fmt: skip
    rule = events.put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"]
    arn = queues.allow(cloud, url, "events.amazonaws.com", rule)
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    for key in ("other.csv", KEY):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    (message,) = queues.receive(cloud, url)
    assert queues.is_empty(cloud, url)
    body = json.loads(message["Body"])
    assert (body["source"], body["detail-type"], body["detail"]["object"]["key"]) == ("aws.s3", "Object Created", KEY)
    assert [item.key for item in s3_events.parse(message["Body"]).objects] == [KEY]
    events.remove_targets(Rule=name, Ids=["queue"])
    events.delete_rule(Name=name)
