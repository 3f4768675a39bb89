"""Reads template.yaml, the one place that says what the stack is made of, into what the local stack needs of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runner.errors import TemplateError
from runner.settings import Settings
from runner.template import event_sources
from runner.template.intrinsics import Template, as_text
from runner.template.resources import Part, function_of_queue, parts, policy_of, queue_with
from runner.template.schedules import Schedule, find

# CloudFormation and SQS call them the same.
_QUEUE_ATTRIBUTES = (
    "VisibilityTimeout", "MessageRetentionPeriod", "DelaySeconds", "MaximumMessageSize",
    "ReceiveMessageWaitTimeSeconds", "SqsManagedSseEnabled", "RedrivePolicy", "RedriveAllowPolicy",
)  # fmt: skip
# What the local S3 can hold too.
_BUCKET_SETTINGS = (
    "VersioningConfiguration", "BucketEncryption", "PublicAccessBlockConfiguration", "OwnershipControls",
    "LifecycleConfiguration", "Tags",
)  # fmt: skip


@dataclass(frozen=True)
class StackTemplate:
    """The stack as template.yaml describes it; times in seconds, defaults as AWS has them."""

    source_bucket: str
    destination_bucket: str
    function_name: str
    queue_name: str
    dead_letter_queue_name: str
    visibility_timeout_s: int
    max_receive_count: int
    batch_size: int
    maximum_batching_window_s: int
    maximum_concurrency: int | None
    """How many Lambdas the queue may keep busy; None means no bound."""
    function_timeout_s: int
    memory_mb: int
    ephemeral_storage_mb: int
    environment: dict[str, str]
    architecture: str
    notification_events: tuple[str, ...]
    """What the source bucket tells the queue, such as s3:ObjectCreated:*."""
    filter_prefix: str | None
    filter_suffix: str | None
    schedules: tuple[Schedule, ...]
    """Those that send to the queue."""
    queue_attributes: dict[str, dict[str, str]]
    """By the queue's name, as CreateQueue takes them, the policy included."""
    bucket_settings: dict[str, dict[str, Any]]
    """By the bucket's name, as CloudFormation has them, the policy included; empty if the template does not make it."""

    @property
    def function_environment(self) -> dict[str, str]:
        """The function's variables, and those by which Lambda tells it what it is."""
        return {
            **self.environment,
            "AWS_LAMBDA_FUNCTION_NAME": self.function_name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory_mb),
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(self.function_timeout_s),
        }


def load(path: Path, parameters: Mapping[str, str] | None = None, *, region: str = "us-west-2") -> StackTemplate:
    """Read a SAM template; resources are found by their types and by how they are wired, not by their names.

    Args:
        parameters: values other than the defaults of the template's parameters.

    Raises:
        TemplateError: something is missing, is out of AWS's bounds, or has a value only on AWS.
    """
    try:
        return _described(Template(path, parameters or {}, region))
    except RecursionError as error:
        raise TemplateError(f"{path.name}: Ref, Fn::GetAtt, Fn::Sub or Conditions go round in a circle.") from error


def _described(template: Template) -> StackTemplate:
    function, event = function_of_queue(template)
    queue_arn = event.text("Queue", "Point at the queue with !GetAtt TheQueue.Arn.")
    queue = queue_with(template, queue_arn, event.at)
    redrive = queue.part("RedrivePolicy")
    dead_arn = redrive.text("deadLetterTargetArn", "Add a dead-letter queue: it keeps what cannot be processed.")
    dead = queue_with(template, dead_arn, redrive.at)
    source = event_sources.find(template, queue_arn, event.at)
    scaling = event.part("ScalingConfig")
    environment = function.part("Environment").part("Variables")
    destination = environment.text("TSDAT_S3_BUCKET_NAME", "tsdat stores there: !Ref the destination bucket.")
    described = StackTemplate(
        source_bucket=source.bucket,
        destination_bucket=destination,
        function_name=function.text("FunctionName", "Give the function a name."),
        queue_name=queue.text("QueueName", "Give the queue a name."),
        dead_letter_queue_name=dead.text("QueueName", "Give the queue a name."),
        visibility_timeout_s=queue.number("VisibilityTimeout", 0, 43_200, default=30),
        max_receive_count=redrive.number("maxReceiveCount", 1, 1000),
        batch_size=event.number("BatchSize", 1, 10_000, default=10),
        maximum_batching_window_s=event.number("MaximumBatchingWindowInSeconds", 0, 300, default=0),
        maximum_concurrency=scaling.number("MaximumConcurrency", 2, 1000) if scaling.content else None,
        function_timeout_s=function.number("Timeout", 1, 900, default=3),
        memory_mb=function.number("MemorySize", 128, 10_240, default=128),
        ephemeral_storage_mb=function.part("EphemeralStorage").number("Size", 512, 10_240, default=512),
        environment={name: environment.text(name, "Write a text.") for name in environment.content},
        architecture=_architecture(function),
        notification_events=source.events,
        filter_prefix=source.prefix,
        filter_suffix=source.suffix,
        queue_attributes={str(one.value("QueueName")): _attributes(one) for one in (queue, dead)},
        bucket_settings={name: _settings(template, name) for name in (destination, source.bucket)},
        schedules=find(template, queue_arn),
    )
    _refuse_what_aws_would(described, queue, event, environment)
    return described


def _refuse_what_aws_would(described: StackTemplate, queue: Part, event: Part, environment: Part) -> None:
    """The rules that hold between values, and the settings without which files would be lost."""
    visible_s, timeout_s = described.visibility_timeout_s, described.function_timeout_s
    if visible_s < timeout_s:
        text = f"{visible_s} s is less than the function's Timeout of {timeout_s} s, and Lambda refuses that."
        raise queue.error("VisibilityTimeout", f"{text} Use {6 * timeout_s}, six times as much, as AWS advises.")
    if described.batch_size > 10 and not described.maximum_batching_window_s:
        text = f"{described.batch_size} is more than 10. Set MaximumBatchingWindowInSeconds too, as Lambda asks."
        raise event.error("BatchSize", text)
    if "ReportBatchItemFailures" not in (event.value("FunctionResponseTypes") or []):
        text = "add ReportBatchItemFailures. Without it AWS takes failed messages for processed and deletes them."
        raise event.error("FunctionResponseTypes", text)
    if described.source_bucket == described.destination_bucket:
        text = f"{described.source_bucket!r} is the source bucket too. Use another: each output would start a run."
        raise environment.error("TSDAT_S3_BUCKET_NAME", text)


def _attributes(queue: Part) -> dict[str, str]:
    values = {name: queue.value(name) for name in _QUEUE_ATTRIBUTES}
    url = queue.template.value({"Ref": queue.at.split(".")[1]}, queue.at)
    values["Policy"] = policy_of(queue.template, "AWS::SQS::QueuePolicy", "Queues", url)
    return {
        name: json.dumps(value) if isinstance(value, Mapping) else as_text(value)
        for name, value in values.items()
        if value is not None
    }


def _settings(template: Template, bucket: str) -> dict[str, Any]:
    for made in parts(template, "AWS::S3::Bucket"):
        if made.value("BucketName") == bucket:
            values = {name: made.value(name) for name in _BUCKET_SETTINGS}
            values["Policy"] = policy_of(template, "AWS::S3::BucketPolicy", "Bucket", bucket)
            return {name: value for name, value in values.items() if value is not None}
    return {}


def _architecture(function: Part) -> str:
    value = function.value("Architectures") or ["x86_64"]
    if value not in (["x86_64"], ["arm64"]):
        raise function.error("Architectures", f"{value!r} must be [x86_64] or [arm64].")
    return str(value[0])


_DEBUG_TIMEOUT_S = 3600
"""Time for a user at a breakpoint; with the template's timeout the emulator would kill the run."""


def with_debug_timeout(template: StackTemplate, settings: Settings) -> StackTemplate:
    """Return the template to run with; every process that uses the function's timeout must call this.

    The queue's visibility timeout stays, because the poller extends it for as long as a run takes.
    """
    return replace(template, function_timeout_s=_DEBUG_TIMEOUT_S) if settings.debug else template
