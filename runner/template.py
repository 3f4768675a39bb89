"""Reads template.yaml, the one place that says what the stack is made of, into what the local stack needs of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import TemplateError
from runner.intrinsics import Template, as_text, is_intrinsic
from runner.schedules import Schedule, find

_FUNCTION, _QUEUE, _BUCKET = "AWS::Serverless::Function", "AWS::SQS::Queue", "AWS::S3::Bucket"


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
    message_retention_s: int
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


@dataclass(frozen=True)
class _Part:
    """A mapping in the template and where it is, for errors."""

    template: Template
    at: str
    content: Mapping[str, Any]

    def value(self, name: str) -> Any:
        return self.template.value(self.content.get(name), f"{self.at}.{name}")

    def part(self, name: str) -> _Part:
        content = self.value(name)
        if not isinstance(content, Mapping | None):
            raise self.error(name, f"{content!r} must be a mapping of names to values.")
        return _Part(self.template, f"{self.at}.{name}", content or {})

    def text(self, name: str, advice: str) -> str:
        value = self.value(name)
        if value is None or isinstance(value, Mapping | list):
            raise self.error(name, f"is {'missing' if value is None else repr(value)}. {advice}")
        return as_text(value)

    def number(self, name: str, low: int, high: int, default: int | None = None) -> int:
        value = self.value(name)
        if value is None and default is not None:
            return default
        if not str(value).isdecimal() or not low <= int(value) <= high:
            raise self.error(name, f"{value!r} must be a whole number from {low} to {high}.")
        return int(value)

    def error(self, name: str, text: str) -> TemplateError:
        return self.template.error(f"{self.at}.{name}", text)


def _described(template: Template) -> StackTemplate:
    function, event = _function(template)
    queue_arn = event.text("Queue", "Point at the queue with !GetAtt TheQueue.Arn.")
    queue = _queue(template, queue_arn, event.at)
    redrive = queue.part("RedrivePolicy")
    dead_arn = redrive.text("deadLetterTargetArn", "Add a dead-letter queue: it keeps what cannot be processed.")
    source, filters, events = _source(template, queue_arn, event.at)
    scaling = event.part("ScalingConfig")
    environment = function.part("Environment").part("Variables")
    described = StackTemplate(
        source_bucket=source.text("BucketName", "Give the bucket a name."),
        destination_bucket=environment.text("TSDAT_S3_BUCKET_NAME", "tsdat stores there: !Ref the destination bucket."),
        function_name=function.text("FunctionName", "Give the function a name."),
        queue_name=queue.text("QueueName", "Give the queue a name."),
        dead_letter_queue_name=_queue(template, dead_arn, redrive.at).text("QueueName", "Give the queue a name."),
        visibility_timeout_s=queue.number("VisibilityTimeout", 0, 43_200, default=30),
        max_receive_count=redrive.number("maxReceiveCount", 1, 1000),
        message_retention_s=queue.number("MessageRetentionPeriod", 60, 1_209_600, default=345_600),
        batch_size=event.number("BatchSize", 1, 10_000, default=10),
        maximum_batching_window_s=event.number("MaximumBatchingWindowInSeconds", 0, 300, default=0),
        maximum_concurrency=scaling.number("MaximumConcurrency", 2, 1000) if scaling.content else None,
        function_timeout_s=function.number("Timeout", 1, 900, default=3),
        memory_mb=function.number("MemorySize", 128, 10_240, default=128),
        ephemeral_storage_mb=function.part("EphemeralStorage").number("Size", 512, 10_240, default=512),
        environment={name: environment.text(name, "Write a text.") for name in environment.content},
        architecture=_architecture(function),
        notification_events=events,
        filter_prefix=filters.get("prefix"),
        filter_suffix=filters.get("suffix"),
        schedules=find(template, queue_arn),
    )
    _refuse_what_aws_would(described, queue, event, environment)
    return described


def _refuse_what_aws_would(described: StackTemplate, queue: _Part, event: _Part, environment: _Part) -> None:
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


def _parts(template: Template, kind: str) -> Iterator[_Part]:
    """The properties of all resources of a type, with what the Globals section adds for functions."""
    for name, resource in template.resources.items():
        if resource.get("Type") == kind:
            shared = template.section("Globals").get("Function", {}) if kind == _FUNCTION else {}
            yield _Part(template, f"Resources.{name}.Properties", _merged(shared, resource.get("Properties") or {}))


def _merged(shared: Any, own: Any) -> Any:
    """As SAM merges Globals: mappings by key, lists one after the other, else a resource's own value wins."""
    if isinstance(shared, Mapping) and isinstance(own, Mapping) and not is_intrinsic(shared) and not is_intrinsic(own):
        return {**shared, **{key: _merged(shared.get(key), value) for key, value in own.items()}}
    return [*shared, *own] if isinstance(shared, list) and isinstance(own, list) else own


def _function(template: Template) -> tuple[_Part, _Part]:
    found = [
        (function, _Part(template, f"{function.at}.Events.{name}.Properties", event.get("Properties") or {}))
        for function in _parts(template, _FUNCTION)
        for name, event in (function.content.get("Events") or {}).items()
        if event.get("Type") == "SQS"
    ]
    if len(found) != 1:
        text = f"there must be one {_FUNCTION} with one event of Type SQS, and there are {len(found)}."
        raise template.error("Resources", " ".join([text, *(f"Look at {event.at}." for _, event in found)]))
    return found[0]


def _queue(template: Template, arn: str, at: str) -> _Part:
    for queue in _parts(template, _QUEUE):
        name = queue.at.split(".")[1]
        if "QueueName" in queue.content and template.value({"Fn::GetAtt": [name, "Arn"]}, queue.at) == arn:
            return queue
    raise template.error(at, f"no {_QUEUE} of this template has the ARN {arn}. Point at one with !GetAtt TheQueue.Arn.")


def _source(template: Template, queue_arn: str, at: str) -> tuple[_Part, dict[str, str], tuple[str, ...]]:
    """The bucket that tells the queue of new files, its filter rules, and the events it tells of."""
    found = [
        (bucket, entry)
        for bucket in _parts(template, _BUCKET)
        for entry in bucket.part("NotificationConfiguration").value("QueueConfigurations") or []
        if entry.get("Queue") == queue_arn
    ]
    filters = [entry.get("Filter", {}).get("S3Key", {}).get("Rules", []) for _, entry in found]
    if len({bucket.at for bucket, _ in found}) != 1 or any(rules != filters[0] for rules in filters):
        text = f"one {_BUCKET}, with one filter, must send QueueConfigurations to this queue; {len(found)} do."
        raise template.error(at, text)
    rules = {str(rule["Name"]).lower(): str(rule["Value"]) for rule in filters[0]}
    return found[0][0], rules, tuple(str(entry.get("Event")) for _, entry in found)


def _architecture(function: _Part) -> str:
    value = function.value("Architectures") or ["x86_64"]
    if value not in (["x86_64"], ["arm64"]):
        raise function.error("Architectures", f"{value!r} must be [x86_64] or [arm64].")
    return str(value[0])
