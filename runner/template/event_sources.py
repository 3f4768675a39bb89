"""Finds in template.yaml who tells the queue of new files: the source bucket, an EventBridge rule, or an SNS topic.

Whichever it is, the local stack makes the bucket and has it tell the queue directly; the handler reads all forms.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from runner.template.intrinsics import Template
from runner.template.resources import Part, parts

_BUCKET = "AWS::S3::Bucket"
_CREATED = "s3:ObjectCreated:*"


@dataclass(frozen=True)
class Source:
    """A bucket whose new files come to the queue."""

    bucket: str
    events: tuple[str, ...]
    """What it tells of, such as s3:ObjectCreated:*."""
    prefix: str | None
    suffix: str | None


def find(template: Template, queue_arn: str, at: str) -> Source:
    """The source bucket of a queue.

    Raises:
        TemplateError: nothing sends to the queue, or more than one bucket or filter does.
    """
    found = [
        *_notifications(template, queue_arn),
        *_rules(template, queue_arn),
        *_subscriptions(template, queue_arn),
    ]
    same = {(source.bucket, source.prefix, source.suffix) for source in found}
    if len(same) != 1:
        text = (
            f"one {_BUCKET}, with one filter, must send QueueConfigurations to this queue, or one AWS::Events::Rule or "
            f"AWS::SNS::Subscription; {len(found)} do."
        )
        raise template.error(at, text)
    return replace(found[0], events=tuple(event for source in found for event in source.events))


def _notifications(template: Template, queue_arn: str) -> Iterator[Source]:
    for bucket in parts(template, _BUCKET):
        for entry in bucket.part("NotificationConfiguration").value("QueueConfigurations") or []:
            if entry.get("Queue") == queue_arn:
                rules = entry.get("Filter", {}).get("S3Key", {}).get("Rules", [])
                filters = {str(rule["Name"]).lower(): str(rule["Value"]) for rule in rules}
                name = bucket.text("BucketName", "Give the bucket a name.")
                yield Source(name, (str(entry.get("Event")),), filters.get("prefix"), filters.get("suffix"))


def _rules(template: Template, queue_arn: str) -> Iterator[Source]:
    for rule in parts(template, "AWS::Events::Rule"):
        if queue_arn in [target.get("Arn") for target in rule.value("Targets") or []]:
            yield _filtered(rule.part("EventPattern").part("detail"))


def _subscriptions(template: Template, queue_arn: str) -> Iterator[Source]:
    for subscription in parts(template, "AWS::SNS::Subscription"):
        if subscription.value("Endpoint") == queue_arn:
            yield _filtered(subscription.part("FilterPolicy").part("Records").part("s3"))


def _filtered(pattern: Part) -> Source:
    """The bucket and the prefix that an event pattern names: {bucket: {name: [B]}, object: {key: [{prefix: P}]}}."""
    names = pattern.part("bucket").value("name")
    if not isinstance(names, list) or len(names) != 1:
        text = f"{names!r} must be a list of one bucket's name: the local stack has to make that bucket."
        raise pattern.error("bucket.name", text)
    (key,) = pattern.part("object").value("key") or [{}]
    return Source(str(names[0]), (_CREATED,), key.get("prefix"), None)
