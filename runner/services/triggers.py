"""Connects the source bucket with the queue as the template does: directly, through EventBridge, or through SNS."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from runner.aws import clients
from runner.template.stack_template import StackTemplate

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


def connect(s3: S3Client, template: StackTemplate, client: Callable[[str], Any] | None) -> None:
    """Let the source bucket send its events to the queue.

    Args:
        client: returns a client of EventBridge or SNS; None if the emulator has neither.
    """
    queue_arn = f"arn:aws:sqs:{clients.REGION}:{clients.ACCOUNT}:{template.queue_name}"
    if client and template.event_source.rule:
        _create_rule(client("events"), template.event_source.rule, queue_arn)
        notification: dict[str, Any] = {"EventBridgeConfiguration": {}}
    elif client and template.event_source.subscription:
        arn = _create_topic(client("sns"), template, queue_arn)
        notification = {"TopicConfigurations": [{"TopicArn": arn, "Events": list(template.notification_events)}]}
    else:
        notification = {"QueueConfigurations": [_to_queue(template, queue_arn)]}
    s3.put_bucket_notification_configuration(
        Bucket=template.source_bucket,
        NotificationConfiguration=notification,  # type: ignore[arg-type]
    )


def _to_queue(template: StackTemplate, queue_arn: str) -> dict[str, Any]:
    rules = [
        {"Name": name, "Value": value}
        for name, value in (("prefix", template.filter_prefix), ("suffix", template.filter_suffix))
        if value
    ]
    configuration: dict[str, Any] = {"QueueArn": queue_arn, "Events": list(template.notification_events)}
    if rules:
        configuration["Filter"] = {"Key": {"FilterRules": rules}}
    return configuration


def _create_rule(events: Any, rule: Mapping[str, Any], queue_arn: str) -> None:
    name = str(rule.get("Name") or "new-file")
    events.put_rule(Name=name, EventPattern=json.dumps(rule["EventPattern"]))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": queue_arn}])


def _create_topic(sns: Any, template: StackTemplate, queue_arn: str) -> str:
    """Create the topic that on AWS exists already, let the bucket publish to it, and subscribe; return its ARN."""
    subscription = template.event_source.subscription
    arn = _local_topic(str(subscription["TopicArn"]))
    statement = {
        "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sns:Publish", "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{template.source_bucket}"}},
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sns.create_topic(Name=arn.rsplit(":", 1)[1], Attributes={"Policy": policy})
    attributes = {
        "RawMessageDelivery": str(subscription.get("RawMessageDelivery", False)).lower(),
        "FilterPolicyScope": str(subscription.get("FilterPolicyScope", "MessageAttributes")),
    }
    if pattern := subscription.get("FilterPolicy"):
        attributes["FilterPolicy"] = json.dumps(pattern)
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn, Attributes=attributes)
    return arn


def _local_topic(arn: str) -> str:
    """Return the ARN that a topic has in the emulator: its own account and region differ."""
    return f"arn:aws:sns:{clients.REGION}:{clients.ACCOUNT}:{arn.rsplit(':', 1)[1]}"


def with_local_topic(template: StackTemplate, attributes: Mapping[str, str]) -> dict[str, str]:
    """Return a queue's attributes, with a policy that names the topic in the emulator."""
    arn = str(template.event_source.subscription.get("TopicArn") or "")
    return {name: value.replace(arn, _local_topic(arn)) if arn else value for name, value in attributes.items()}
