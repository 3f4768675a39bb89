"""Finds the resources of a SAM template by their types and by how they are wired, and reads their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runner.errors import TemplateError
from runner.template.intrinsics import Template, as_text, is_intrinsic

_FUNCTION, _QUEUE = "AWS::Serverless::Function", "AWS::SQS::Queue"


@dataclass(frozen=True)
class Part:
    """A mapping in the template and where it is, for errors."""

    template: Template
    at: str
    content: Mapping[str, Any]

    def value(self, name: str) -> Any:
        """A property in plain values; None if there is none."""
        return self.template.value(self.content.get(name), f"{self.at}.{name}")

    def part(self, name: str) -> Part:
        """A property that is a mapping, empty if there is none.

        Raises:
            TemplateError: it is something else.
        """
        content = self.value(name)
        if not isinstance(content, Mapping | None):
            raise self.error(name, f"{content!r} must be a mapping of names to values.")
        return Part(self.template, f"{self.at}.{name}", content or {})

    def text(self, name: str, advice: str) -> str:
        """A property that has to be there.

        Raises:
            TemplateError: it is not, or is no single value; `advice` says what to do.
        """
        value = self.value(name)
        if value is None or isinstance(value, Mapping | list):
            raise self.error(name, f"is {'missing' if value is None else repr(value)}. {advice}")
        return as_text(value)

    def number(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number.

        Raises:
            TemplateError: it is none, is out of bounds, or is missing and has no default.
        """
        value = self.value(name)
        if value is None and default is not None:
            return default
        if not str(value).isdecimal() or not low <= int(value) <= high:
            raise self.error(name, f"{value!r} must be a whole number from {low} to {high}.")
        return int(value)

    def error(self, name: str, text: str) -> TemplateError:
        """An error about one property."""
        return self.template.error(f"{self.at}.{name}", text)


def parts(template: Template, kind: str) -> Iterator[Part]:
    """The properties of all resources of a type, with what the Globals section adds for functions."""
    for name, resource in template.resources.items():
        if resource.get("Type") == kind:
            shared = template.section("Globals").get("Function", {}) if kind == _FUNCTION else {}
            yield Part(template, f"Resources.{name}.Properties", _merged(shared, resource.get("Properties") or {}))


def _merged(shared: Any, own: Any) -> Any:
    """As SAM merges Globals: mappings by key, lists one after the other, else a resource's own value wins."""
    if isinstance(shared, Mapping) and isinstance(own, Mapping) and not is_intrinsic(shared) and not is_intrinsic(own):
        return {**shared, **{key: _merged(shared.get(key), value) for key, value in own.items()}}
    return [*shared, *own] if isinstance(shared, list) and isinstance(own, list) else own


def function_of_queue(template: Template) -> tuple[Part, Part]:
    """The one function that reads a queue, and the event that says which.

    Raises:
        TemplateError: there is none, or more than one.
    """
    found = [
        (function, Part(template, f"{function.at}.Events.{name}.Properties", event.get("Properties") or {}))
        for function in parts(template, _FUNCTION)
        for name, event in (function.content.get("Events") or {}).items()
        if event.get("Type") == "SQS"
    ]
    if len(found) != 1:
        text = f"there must be one {_FUNCTION} with one event of Type SQS, and there are {len(found)}."
        raise template.error("Resources", " ".join([text, *(f"Look at {event.at}." for _, event in found)]))
    return found[0]


def queue_with(template: Template, arn: str, at: str) -> Part:
    """The queue with an ARN.

    Raises:
        TemplateError: this template has none.
    """
    for queue in parts(template, _QUEUE):
        name = queue.at.split(".")[1]
        if "QueueName" in queue.content and template.value({"Fn::GetAtt": [name, "Arn"]}, queue.at) == arn:
            return queue
    raise template.error(at, f"no {_QUEUE} of this template has the ARN {arn}. Point at one with !GetAtt TheQueue.Arn.")


def policy_of(template: Template, kind: str, property_name: str, target: str) -> dict[str, Any] | None:
    """The policy document that a resource of a type lays on a bucket or queue, which it names in a property."""
    for policy in parts(template, kind):
        named = policy.value(property_name)
        if target in (named if isinstance(named, list) else [named]):
            return dict(policy.part("PolicyDocument").content)
    return None
