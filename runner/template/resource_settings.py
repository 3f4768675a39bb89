"""The settings of queues and buckets that the local stack passes on to the emulator unchanged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from runner.template.intrinsics import Template, as_text
from runner.template.resources import Properties, find_policy, resources_of_type

# CloudFormation and SQS use the same names for these.
QUEUE_ATTRIBUTES = (
    "VisibilityTimeout", "MessageRetentionPeriod", "DelaySeconds", "MaximumMessageSize",
    "ReceiveMessageWaitTimeSeconds", "SqsManagedSseEnabled", "RedrivePolicy", "RedriveAllowPolicy",
)  # fmt: skip
# The emulator supports these.
BUCKET_SETTINGS = (
    "VersioningConfiguration", "BucketEncryption", "PublicAccessBlockConfiguration", "OwnershipControls",
    "LifecycleConfiguration", "Tags",
)  # fmt: skip


def queue_attributes(queue: Properties) -> dict[str, str]:
    """Return a queue's attributes as CreateQueue accepts them, including its policy."""
    values = {name: queue.value(name) for name in QUEUE_ATTRIBUTES}
    values["Policy"] = queue_policy(queue)
    return {
        name: json.dumps(value) if isinstance(value, Mapping) else as_text(value)
        for name, value in values.items()
        if value is not None
    }


def queue_policy(queue: Properties) -> dict[str, Any] | None:
    """Return the policy document of a queue; None if there is none."""
    url = queue.template.value({"Ref": queue.location.split(".")[1]}, queue.location)
    return find_policy(queue.template, "AWS::SQS::QueuePolicy", "Queues", url) or find_policy(
        queue.template, "AWS::SQS::QueueInlinePolicy", "Queue", url
    )


def bucket_settings(template: Template, bucket_name: str) -> dict[str, Any]:
    """Return a bucket's settings in CloudFormation's form, with its policy; empty for a bucket outside the template."""
    for bucket in resources_of_type(template, "AWS::S3::Bucket"):
        if bucket.value("BucketName") == bucket_name:
            values = {name: bucket.value(name) for name in BUCKET_SETTINGS}
            values["Policy"] = find_policy(template, "AWS::S3::BucketPolicy", "Bucket", bucket_name)
            return {name: value for name, value in values.items() if value is not None}
    return {}
