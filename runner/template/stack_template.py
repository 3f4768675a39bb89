"""Reads template.yaml, the single source of truth for the stack, into the values that the local stack needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runner.errors import TemplateError
from runner.settings import Settings
from runner.template import aws_rules, event_sources, function_role, local_support, schedules, sender_rights
from runner.template.event_sources import EventSource
from runner.template.function_role import FunctionRole
from runner.template.intrinsics import Template
from runner.template.resource_settings import bucket_settings, queue_attributes
from runner.template.resources import Properties, find_function, find_queue
from runner.template.runtime import PYTHON
from runner.template.schedules import Schedule


@dataclass(frozen=True)
class StackTemplate:
    """The stack that template.yaml describes. Times are in seconds; defaults are those of AWS."""

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
    """The largest number of Lambdas that process the queue at a time, by the mapping and the function's reserved
    concurrency; None for no limit."""
    mapping_enabled: bool
    """Whether the event source mapping receives messages."""
    filter_patterns: tuple[Mapping[str, Any], ...]
    """The event patterns of the mapping's filter criteria, of which a message must match one; empty: no filter."""
    function_timeout_s: int
    memory_mb: int
    ephemeral_storage_mb: int
    environment: dict[str, str]
    architecture: str
    notification_events: tuple[str, ...]
    """The events of the source bucket that are sent to the queue, such as s3:ObjectCreated:*."""
    event_source: EventSource
    """What sends the events to the queue."""
    filter_prefix: str | None
    filter_suffix: str | None
    role: FunctionRole | None
    """The function's role, if its rights are known here."""
    schedules: tuple[Schedule, ...]
    """Only those that send to the queue."""
    queue_attributes: dict[str, dict[str, str]]
    """By queue name, as CreateQueue accepts them, including the policy."""
    bucket_settings: dict[str, dict[str, Any]]
    """By bucket name, in CloudFormation's form, including the policy; empty for a bucket outside the template."""
    warnings: tuple[str, ...]
    """A line for each property that has no effect in the local stack, or with which files would be lost."""

    @property
    def pause_reason(self) -> str | None:
        """Why no file is processed; None if files are."""
        if not self.mapping_enabled:
            return "Enabled: false in template.yaml disables the event source mapping. Files wait in the queue."
        if self.maximum_concurrency == 0:
            return "ReservedConcurrentExecutions: 0 in template.yaml stops the function. Files wait in the queue."
        return None

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should read when the stack starts."""
        return (*self.warnings, self.pause_reason) if self.pause_reason else self.warnings

    @property
    def function_environment(self) -> dict[str, str]:
        """The function's variables, and those that Lambda sets before the runtime starts.

        See "Defined runtime environment variables", AWS Lambda Developer Guide.
        """
        return {
            "TZ": ":UTC",
            "LANG": "en_US.UTF-8",
            **self.environment,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{PYTHON}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "AWS_LAMBDA_FUNCTION_NAME": self.function_name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory_mb),
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(self.function_timeout_s),
        }


def load_for(settings: Settings) -> StackTemplate:
    """Read a project's template. Without one it is the shipped template, without the shipped pipelines' schedules.

    Raises:
        TemplateError: as `load`.
    """
    template = load(settings.template_file)
    return template if settings.has_own_template else replace(template, schedules=())


def load(path: Path, parameters: Mapping[str, str] | None = None, *, region: str = "us-west-2") -> StackTemplate:
    """Read a SAM template. Resources are found by type and by how they are connected, not by name.

    Args:
        parameters: values that replace the defaults of the template's parameters.

    Raises:
        TemplateError: a value is missing, is outside AWS's limits, or is known only on AWS.
    """
    try:
        return _read(Template(path, parameters or {}, region))
    except RecursionError as error:
        text = "Ref, Fn::GetAtt, Fn::Sub or Conditions form a cycle. Remove one of the references."
        raise TemplateError(f"{path.name}: {text}") from error


def _read(template: Template) -> StackTemplate:
    aws_rules.check_assertions(template)
    function, event = find_function(template)
    queue_arn = event.text("Queue", "Refer to the queue with !GetAtt TheQueue.Arn.")
    queue = find_queue(template, queue_arn, event.location)
    redrive = queue.mapping("RedrivePolicy")
    dead_letter_arn = redrive.text("deadLetterTargetArn", "Add a dead-letter queue: it keeps what cannot be processed.")
    dead_letter_queue = find_queue(template, dead_letter_arn, redrive.location)
    source = event_sources.find(template, queue_arn, event.location)
    environment = function.mapping("Environment").mapping("Variables")
    destination = environment.text("TSDAT_S3_BUCKET_NAME", "tsdat stores outputs there: !Ref the destination bucket.")
    role, no_role = function_role.find(template, function, queue_arn)
    attempts = redrive.number("maxReceiveCount", 1, 1000)
    aws_rules.check_function(function)
    for one in (queue, dead_letter_queue):
        aws_rules.check_queue(one)
    stack = StackTemplate(
        source_bucket=source.bucket,
        destination_bucket=destination,
        function_name=function.text("FunctionName", "Set a name for the function."),
        queue_name=queue.text("QueueName", "Set a name for the queue."),
        dead_letter_queue_name=dead_letter_queue.text("QueueName", "Set a name for the queue."),
        visibility_timeout_s=queue.number("VisibilityTimeout", 0, 43_200, default=30),
        max_receive_count=attempts,
        batch_size=event.number("BatchSize", 1, 10_000, default=10),
        maximum_batching_window_s=event.number("MaximumBatchingWindowInSeconds", 0, 300, default=0),
        maximum_concurrency=_maximum_concurrency(function, event),
        mapping_enabled=event.value("Enabled") not in (False, "false"),
        filter_patterns=aws_rules.filter_patterns(event),
        function_timeout_s=function.number("Timeout", 1, 900, default=3),
        memory_mb=function.number("MemorySize", 128, 10_240, default=128),
        ephemeral_storage_mb=function.mapping("EphemeralStorage").number("Size", 512, 10_240, default=512),
        environment={name: environment.text(name, "Set a string.") for name in environment.content},
        architecture=_architecture(function),
        notification_events=source.events,
        event_source=source,
        filter_prefix=source.prefix,
        filter_suffix=source.suffix,
        queue_attributes={str(one.value("QueueName")): queue_attributes(one) for one in (queue, dead_letter_queue)},
        bucket_settings={name: bucket_settings(template, name) for name in (destination, source.bucket)},
        role=role,
        schedules=schedules.find(template, queue_arn),
        warnings=(
            *local_support.warnings(
                template, function, event, (queue, dead_letter_queue), {source.bucket, destination}
            ),
            *(
                [template.warning(function.location, f"rights are not checked here, because {no_role}.")]
                if no_role
                else []
            ),
            *(role.warnings if role else ()),
            *aws_rules.queue_warnings(queue, dead_letter_queue, attempts),
        ),
    )
    _check_rules(stack, queue, event, environment)
    sender_rights.check(queue, queue_arn, source)
    return stack


def _check_rules(stack: StackTemplate, queue: Properties, event: Properties, environment: Properties) -> None:
    """Check AWS's rules that involve two values, and the settings without which files would be lost."""
    visibility_s, timeout_s = stack.visibility_timeout_s, stack.function_timeout_s
    if visibility_s < timeout_s:
        text = f"{visibility_s} s is less than the function's Timeout of {timeout_s} s, which Lambda rejects."
        raise queue.error("VisibilityTimeout", f"{text} Use {6 * timeout_s}, six times as much, as AWS recommends.")
    if stack.batch_size > 10 and not stack.maximum_batching_window_s:
        text = f"{stack.batch_size} is more than 10. Set MaximumBatchingWindowInSeconds too, as Lambda requires."
        raise event.error("BatchSize", text)
    if "ReportBatchItemFailures" not in (event.value("FunctionResponseTypes") or []):
        text = "add ReportBatchItemFailures. Without it AWS counts failed messages as processed and deletes them."
        raise event.error("FunctionResponseTypes", text)
    for name in (stack.source_bucket, stack.destination_bucket):
        if problem := aws_rules.bucket_name_problem(name):
            raise queue.template.error("Resources", f"the bucket name {name!r} {problem}")
    aws_rules.check_environment(environment, stack.environment)
    if stack.source_bucket == stack.destination_bucket:
        text = f"{stack.source_bucket!r} is also the source bucket. Use another: each output would start a run."
        raise environment.error("TSDAT_S3_BUCKET_NAME", text)


def _maximum_concurrency(function: Properties, event: Properties) -> int | None:
    """Return the smaller of the mapping's limit and the function's own."""
    scaling = event.mapping("ScalingConfig")
    limits = []
    if scaling.content:
        limits.append(scaling.number("MaximumConcurrency", 2, 1000))
    if function.value("ReservedConcurrentExecutions") is not None:
        limits.append(function.number("ReservedConcurrentExecutions", 0, 1_000_000))
    return min(limits, default=None)


def _architecture(function: Properties) -> str:
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
