"""Finds the resources of a SAM template by their types and by how they are connected, and reads their properties."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runner.errors import TemplateError
from runner.template.intrinsics import Template, as_text, is_intrinsic

_FUNCTION, _QUEUE = "AWS::Serverless::Function", "AWS::SQS::Queue"


@dataclass(frozen=True)
class Properties:
    """A mapping in the template, and its location for error messages."""

    template: Template
    location: str
    content: Mapping[str, Any]

    def value(self, name: str) -> Any:
        """Return the plain value of a property; None if there is none."""
        return self.template.value(self.content.get(name), f"{self.location}.{name}")

    def mapping(self, name: str) -> Properties:
        """Return a property that is a mapping; empty if there is none.

        Raises:
            TemplateError: it is not a mapping.
        """
        content = self.value(name)
        if not isinstance(content, Mapping | None):
            raise self.error(name, f"{content!r} must be a mapping of names to values.")
        return Properties(self.template, f"{self.location}.{name}", content or {})

    def text(self, name: str, advice: str) -> str:
        """Return a required property as text.

        Args:
            advice: what to do about a missing value, for the error.

        Raises:
            TemplateError: it is missing, or is not a single value.
        """
        value = self.value(name)
        if value is None or isinstance(value, Mapping | list):
            raise self.error(name, f"is {'missing' if value is None else repr(value)}. {advice}")
        return as_text(value)

    def number(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """Return an integer property.

        Raises:
            TemplateError: it is not an integer, is out of bounds, or is missing and has no default.
        """
        value = self.value(name)
        if value is None and default is not None:
            return default
        if not str(value).isdecimal() or not low <= int(value) <= high:
            raise self.error(name, f"{value!r} must be an integer from {low} to {high}.")
        return int(value)

    def error(self, name: str, text: str) -> TemplateError:
        """Return an error about one property."""
        return self.template.error(f"{self.location}.{name}", text)


def resources_of_type(template: Template, kind: str) -> Iterator[Properties]:
    """Yield the properties of all resources of a type; functions include those of the Globals section."""
    for name, resource in template.resources.items():
        if resource.get("Type") == kind:
            shared = template.section("Globals").get("Function", {}) if kind == _FUNCTION else {}
            properties = _merge_globals(shared, resource.get("Properties") or {})
            yield Properties(template, f"Resources.{name}.Properties", properties)


def _merge_globals(shared: Any, own: Any) -> Any:
    """Merge as SAM does: mappings by key, lists by concatenation; otherwise the resource's own value is used."""
    if isinstance(shared, Mapping) and isinstance(own, Mapping) and not is_intrinsic(shared) and not is_intrinsic(own):
        return {**shared, **{key: _merge_globals(shared.get(key), value) for key, value in own.items()}}
    return [*shared, *own] if isinstance(shared, list) and isinstance(own, list) else own


def find_function(template: Template) -> tuple[Properties, Properties]:
    """Return the one function that reads a queue, and the event that names the queue.

    Raises:
        TemplateError: there is none, or more than one.
    """
    found = [
        (function, Properties(template, f"{function.location}.Events.{name}.Properties", event.get("Properties") or {}))
        for function in resources_of_type(template, _FUNCTION)
        for name, event in (function.content.get("Events") or {}).items()
        if event.get("Type") == "SQS"
    ]
    if len(found) != 1:
        text = f"there must be exactly one {_FUNCTION} with one event of Type SQS, but there are {len(found)}."
        raise template.error("Resources", " ".join([text, *(f"See {event.location}." for _, event in found)]))
    return found[0]


def find_queue(template: Template, arn: str, location: str) -> Properties:
    """Return the queue with an ARN.

    Args:
        location: where the ARN is used, for the error.

    Raises:
        TemplateError: the template has no such queue.
    """
    for queue in resources_of_type(template, _QUEUE):
        name = queue.location.split(".")[1]
        if "QueueName" in queue.content and template.value({"Fn::GetAtt": [name, "Arn"]}, queue.location) == arn:
            return queue
    raise template.error(
        location, f"no {_QUEUE} of this template has the ARN {arn}. Refer to one with !GetAtt TheQueue.Arn."
    )


def find_policy(template: Template, kind: str, property_name: str, target: str) -> dict[str, Any] | None:
    """Return the policy document that applies to a bucket or queue; None if there is none.

    Args:
        kind: AWS::S3::BucketPolicy, AWS::SQS::QueuePolicy or AWS::SQS::QueueInlinePolicy.
        property_name: the property in which the policy names its bucket, its queues or its queue.
        target: the bucket's name or the queue's URL.
    """
    for policy in resources_of_type(template, kind):
        names = policy.value(property_name)
        if target in (names if isinstance(names, list) else [names]):
            return dict(policy.mapping("PolicyDocument").content)
    return None
