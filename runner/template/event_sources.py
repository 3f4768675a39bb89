"""Finds what notifies the queue of new objects: the source bucket, an EventBridge rule or an SNS topic.

In each case the local stack creates the bucket. MiniStack also gets the rule, or the topic and its subscription; with
LocalStack the bucket notifies the queue directly. The handler reads all three forms of the event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from runner.template.intrinsics import Template
from runner.template.resources import Properties, resources_of_type

_BUCKET = "AWS::S3::Bucket"
_CREATED = "s3:ObjectCreated:*"


@dataclass(frozen=True)
class EventSource:
    """A bucket whose new objects are reported to the queue."""

    bucket: str
    events: tuple[str, ...]
    """The events that it reports, such as s3:ObjectCreated:*."""
    prefix: str | None
    suffix: str | None
    rule: Mapping[str, Any] = field(default_factory=dict)
    """Properties of the EventBridge rule, if one sends the events."""
    subscription: Mapping[str, Any] = field(default_factory=dict)
    """Properties of the subscription to an SNS topic, if one sends the events."""


def find(template: Template, queue_arn: str, location: str) -> EventSource:
    """Return the event source of a queue.

    Raises:
        TemplateError: nothing notifies the queue, or more than one bucket or filter does.
    """
    found = [
        *_notifications(template, queue_arn),
        *_rules(template, queue_arn),
        *_subscriptions(template, queue_arn),
    ]
    distinct = {(source.bucket, source.prefix, source.suffix) for source in found}
    if len(distinct) != 1:
        text = (
            f"exactly one {_BUCKET} with one filter must send QueueConfigurations to this queue, or one "
            f"AWS::Events::Rule or AWS::SNS::Subscription, but {len(found)} do."
        )
        raise template.error(location, text)
    return replace(found[0], events=tuple(event for source in found for event in source.events))


def _notifications(template: Template, queue_arn: str) -> Iterator[EventSource]:
    for bucket in resources_of_type(template, _BUCKET):
        for entry in bucket.mapping("NotificationConfiguration").value("QueueConfigurations") or []:
            if entry.get("Queue") == queue_arn:
                rules = entry.get("Filter", {}).get("S3Key", {}).get("Rules", [])
                filters = {str(rule["Name"]).lower(): str(rule["Value"]) for rule in rules}
                name = bucket.text("BucketName", "Set a name for the bucket.")
                yield EventSource(name, (str(entry.get("Event")),), filters.get("prefix"), filters.get("suffix"))


def _rules(template: Template, queue_arn: str) -> Iterator[EventSource]:
    for rule in resources_of_type(template, "AWS::Events::Rule"):
        if queue_arn in [target.get("Arn") for target in rule.value("Targets") or []]:
            found = _from_pattern(rule.mapping("EventPattern").mapping("detail"))
            yield replace(found, rule=rule.template.value(rule.content, rule.location))


def _subscriptions(template: Template, queue_arn: str) -> Iterator[EventSource]:
    for subscription in resources_of_type(template, "AWS::SNS::Subscription"):
        if subscription.value("Endpoint") == queue_arn:
            found = _from_pattern(subscription.mapping("FilterPolicy").mapping("Records").mapping("s3"))
            yield replace(found, subscription=subscription.template.value(subscription.content, subscription.location))


def _from_pattern(pattern: Properties) -> EventSource:
    """Read bucket and prefix from an event pattern: {bucket: {name: [B]}, object: {key: [{prefix: P}]}}."""
    names = pattern.mapping("bucket").value("name")
    if not isinstance(names, list) or len(names) != 1:
        text = f"{names!r} must be a list with the name of one bucket: the local stack creates that bucket."
        raise pattern.error("bucket.name", text)
    (key,) = pattern.mapping("object").value("key") or [{}]
    return EventSource(str(names[0]), (_CREATED,), key.get("prefix"), None)
