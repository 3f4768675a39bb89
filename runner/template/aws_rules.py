"""The rules by which AWS would refuse a template, or the local stack cannot run it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from runner.errors import TemplateError
from runner.messages import event_patterns
from runner.template.intrinsics import Template
from runner.template.resources import Properties

_HANDLER = "runner.function.handler.handler"
_RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_MOST_FILTERS = 5
# A notification about a key of 1,024 bytes, percent-encoded, in an SNS envelope.
_LARGEST_NOTIFICATION_BYTES = 8192
_MOST_VARIABLE_BYTES = 4096
_RESERVED_VARIABLES = (
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
)  # fmt: skip


def check_assertions(template: Template) -> None:
    """Check the template's Rules, as CloudFormation does before it creates anything.

    Raises:
        TemplateError: the values of the parameters violate one.
    """
    for name, rule in template.section("Rules").items():
        location = f"Rules.{name}"
        if _truth(template, rule.get("RuleCondition", True), location):
            for one in rule.get("Assertions") or []:
                if _truth(template, one.get("Assert"), location) is False:
                    raise template.error(location, str(one.get("AssertDescription") or "an assertion is false."))


def _truth(template: Template, node: Any, location: str) -> bool | None:
    """Return whether a condition holds; None if it has a function only for rules, which AWS evaluates."""
    try:
        return bool(template.value(node, location))
    except TemplateError:
        return None


def check_function(function: Properties) -> None:
    """Check what the function runs.

    Raises:
        TemplateError: it is not the image with the handler that ships.
    """
    package = function.value("PackageType") or "Zip"
    if package != "Image":
        raise function.error("PackageType", f"is {package}. Set Image: the local stack runs the image that you deploy.")
    for name in ("Handler", "Runtime", "Layers", "CodeUri", "InlineCode"):
        if function.value(name) is not None:
            raise function.error(name, "is not allowed for PackageType Image, which AWS would reject. Remove it.")
    if function.value("SnapStart") is not None:
        raise function.error("SnapStart", "is not available for functions that are images. Remove it.")
    config = function.mapping("ImageConfig")
    if config.value("Command") not in (None, [_HANDLER]):
        text = f"{config.value('Command')!r} must be [{_HANDLER}]: another handler would not be the one tested here."
        raise config.error("Command", text)


def filter_patterns(event: Properties) -> tuple[Mapping[str, Any], ...]:
    """Return the event patterns of the mapping's filter criteria; a message must match one. Empty: no filter.

    Raises:
        TemplateError: AWS would reject a pattern.
    """
    criteria = event.mapping("FilterCriteria")
    filters = criteria.value("Filters") or []
    if len(filters) > _MOST_FILTERS:
        raise criteria.error("Filters", f"has {len(filters)} filters. Lambda accepts {_MOST_FILTERS}.")
    found = []
    for number, entry in enumerate(filters):
        try:
            found.append(event_patterns.parse(str(entry.get("Pattern", ""))))
        except (ValueError, AttributeError) as error:
            raise criteria.error(f"Filters[{number}].Pattern", str(error)) from None
    return tuple(found)


def check_queue(queue: Properties) -> None:
    """Check a queue's attributes.

    Raises:
        TemplateError: SQS would reject one, or S3 could not send to the queue.
    """
    name = str(queue.value("QueueName"))
    if name.endswith(".fifo") or queue.value("FifoQueue"):
        text = "S3 cannot send to a FIFO queue. Use a standard queue: remove FifoQueue, and .fifo from the name."
        raise queue.error("FifoQueue", text)
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,80}", name):
        raise queue.error("QueueName", f"{name!r} must be 1 to 80 letters, digits, hyphens and underscores.")
    key = str(queue.value("KmsMasterKeyId") or "")
    if key.endswith("alias/aws/sqs"):
        text = "S3 cannot use AWS's own key, alias/aws/sqs. Use SqsManagedSseEnabled: true, or a key of your own."
        raise queue.error("KmsMasterKeyId", text)
    queue.number("MessageRetentionPeriod", 60, 1_209_600, default=345_600)
    queue.number("MaximumMessageSize", 1024, 1_048_576, default=1_048_576)
    queue.number("DelaySeconds", 0, 900, default=0)
    queue.number("ReceiveMessageWaitTimeSeconds", 0, 20, default=0)


def queue_warnings(queue: Properties, dead_letter_queue: Properties, attempts: int) -> Iterator[str]:
    """Yield a line for each value that SQS accepts, but with which files would be lost."""
    retention_s, dead_s = (
        one.number("MessageRetentionPeriod", 60, 1_209_600, default=345_600) for one in (queue, dead_letter_queue)
    )
    needed_s = attempts * queue.number("VisibilityTimeout", 0, 43_200, default=30)
    if retention_s < needed_s:
        text = f"{retention_s} s is less than {attempts} attempts take, {needed_s} s. Files that fail are lost."
        yield queue.template.warning(f"{queue.location}.MessageRetentionPeriod", text)
    if dead_s < retention_s:
        text = f"{dead_s} s is less than the queue's {retention_s} s. A failed file keeps its age, and is lost early."
        yield queue.template.warning(f"{dead_letter_queue.location}.MessageRetentionPeriod", text)
    size = queue.number("MaximumMessageSize", 1024, 1_048_576, default=1_048_576)
    if size < _LARGEST_NOTIFICATION_BYTES:
        text = f"{size} bytes are too few for a notification about a long key, which would be lost."
        yield queue.template.warning(f"{queue.location}.MaximumMessageSize", text)


def bucket_name_problem(name: str) -> str | None:
    """Return why S3 refuses a bucket name; None if it does not."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", name):
        return "must be 3 to 63 lowercase letters, digits, dots and hyphens, with a letter or digit at both ends."
    if ".." in name:
        return "must not have two dots in a row."
    if found := next((part for part in _RESERVED_PREFIXES if name.startswith(part)), None):
        return f"must not begin with {found}, which S3 reserves."
    if found := next((part for part in _RESERVED_SUFFIXES if name.endswith(part)), None):
        return f"must not end with {found}, which S3 reserves."
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return None
    return "must not have the form of an IP address."


def check_environment(environment: Properties, variables: Mapping[str, str]) -> None:
    """Check the function's variables.

    Raises:
        TemplateError: Lambda would refuse a name, or all of them together.
    """
    for name in variables:
        if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]+", name):
            text = "is not a valid name. Lambda requires a letter, followed by letters, digits and underscores."
            raise environment.error(name, text)
        if name in _RESERVED_VARIABLES:
            raise environment.error(name, "is a name that Lambda reserves for itself. Rename the variable.")
    size = sum(len(f"{name}{value}".encode()) for name, value in variables.items())
    if size > _MOST_VARIABLE_BYTES:
        text = f"the variables take {size} bytes. Lambda accepts {_MOST_VARIABLE_BYTES}. Move long values into a file."
        raise environment.template.error(environment.location, text)
