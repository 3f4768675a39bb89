"""Names what the local stack does with each property, so that a property without a warning is one that takes effect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner.template.intrinsics import Template
from runner.template.resource_settings import BUCKET_SETTINGS, QUEUE_ATTRIBUTES
from runner.template.resources import Properties, resources_of_type

# What follows each property in a warning.
_FUNCTION = {
    "VpcConfig": "the local Lambda reaches any network. On AWS it reaches only the VPC, and S3 only if the VPC has an "
    "endpoint for it",
    "FileSystemConfigs": "no file system is mounted here",
    "ProvisionedConcurrencyConfig": "the local Lambdas always stay warm",
    "AutoPublishAlias": "the local stack always runs $LATEST",
    "EventInvokeConfig": "it concerns asynchronous invocations only, and the queue invokes the function synchronously",
    "DeadLetterQueue": "it concerns asynchronous invocations only; the queue's RedrivePolicy applies",
    "RecursiveLoop": "loops are not detected here",
    "ImageConfig": "only its Command is read here",
    "ImageUri": "the local stack builds and runs the image of the Dockerfile",
    "CodeSigningConfigArn": "signatures are not checked here",
    "KmsKeyArn": "variables are not encrypted here",
    "Tracing": "nothing is traced here",
}
# These take effect here, or describe, label or protect only what is on AWS.
_FUNCTION_KNOWN = {
    "Architectures", "AssumeRolePolicyDocument", "Description", "Environment", "EphemeralStorage", "Events",
    "FunctionName", "LoggingConfig", "MemorySize", "PackageType", "PermissionsBoundary", "Policies", "PropagateTags",
    "ReservedConcurrentExecutions", "Role", "RolePath", "Tags", "Timeout",
}  # fmt: skip
_EVENT_KNOWN = {
    "BatchSize", "Enabled", "FilterCriteria", "FunctionResponseTypes", "MaximumBatchingWindowInSeconds", "Queue",
    "ScalingConfig",
}  # fmt: skip
_EVENT = {
    "KmsKeyArn": "filter criteria are not encrypted here",
    "MetricsConfig": "no metrics are recorded here",
    "ProvisionedPollerConfig": "one process polls the queue here",
}
_QUEUE_KNOWN = {*QUEUE_ATTRIBUTES, "QueueName", "FifoQueue", "Tags"}
_QUEUE = {
    "KmsMasterKeyId": "messages are not encrypted here. On AWS the key's policy must let S3 use it",
    "KmsDataKeyReusePeriodSeconds": "messages are not encrypted here",
}
_BUCKET_KNOWN = {*BUCKET_SETTINGS, "BucketName", "NotificationConfiguration"}
_BUCKET = {
    "AccelerateConfiguration": "there is no transfer acceleration here",
    "AnalyticsConfigurations": "nothing is analyzed here",
    "CorsConfiguration": "no browser reads the local bucket",
    "IntelligentTieringConfigurations": "there are no storage classes here",
    "InventoryConfigurations": "no inventory is made here",
    "LoggingConfiguration": "no access is logged here",
    "MetricsConfigurations": "no metrics are recorded here",
    "ObjectLockConfiguration": "objects are not locked here",
    "ObjectLockEnabled": "objects are not locked here",
    "ReplicationConfiguration": "nothing is replicated here",
    "WebsiteConfiguration": "no website is served here",
}
_UNKNOWN = "the local stack does not know it"


def warnings(
    template: Template, function: Properties, event: Properties, queues: Iterable[Properties], bucket_names: set[str]
) -> Iterator[str]:
    """Yield a line for each property that has no effect in the local stack."""
    yield from _without_effect(function, _FUNCTION_KNOWN, _FUNCTION | _image_config(function))
    yield from _without_effect(event, _EVENT_KNOWN, _EVENT)
    for queue in queues:
        yield from _without_effect(queue, _QUEUE_KNOWN, _QUEUE)
    for bucket in resources_of_type(template, "AWS::S3::Bucket"):
        if bucket.value("BucketName") in bucket_names:
            yield from _without_effect(bucket, _BUCKET_KNOWN, _BUCKET)
            yield from _other_notifications(bucket)
    own = event.location.split(".")[-2]
    for name, other in (function.content.get("Events") or {}).items():
        if name != own:
            text = "only the event of the queue invokes the function here"
            yield template.warning(f"{function.location}.Events.{name}", f"of Type {other.get('Type')}: {text}.")


def _image_config(function: Properties) -> dict[str, str]:
    """Without a warning if it has only a Command, which `aws_rules` checks."""
    config = function.mapping("ImageConfig").content
    return {} if set(config) - {"Command"} else {"ImageConfig": ""}


def _without_effect(properties: Properties, known: set[str], explained: dict[str, str]) -> Iterator[str]:
    for name in properties.content:
        if name in known or properties.value(name) is None or explained.get(name) == "":
            continue
        reason = explained.get(name, _UNKNOWN)
        yield properties.template.warning(f"{properties.location}.{name}", f"has no effect here: {reason}.")


def _other_notifications(bucket: Properties) -> Iterator[str]:
    """Yield a line for each notification that does not go to a queue; EventBridge is the one that the template uses."""
    notifications = bucket.mapping("NotificationConfiguration")
    for name in notifications.content:
        if name not in ("QueueConfigurations", "EventBridgeConfiguration"):
            yield bucket.template.warning(
                f"{notifications.location}.{name}", "has no effect here: nothing receives it."
            )
