"""The function's role: what template.yaml allows the pipelines, and Lambda itself, to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runner.errors import TemplateError
from runner.messages import policies
from runner.template.intrinsics import Template
from runner.template.resources import Properties

_KIND = "AWS::IAM::Role"
_MAPPING_ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


@dataclass(frozen=True)
class FunctionRole:
    """A role that the template defines, with its inline policies."""

    resource: str
    """Its name in template.yaml."""
    trust: Mapping[str, Any]
    """The document that says who may assume it."""
    policies: Mapping[str, Mapping[str, Any]]
    """Documents by the policies' names."""
    warnings: tuple[str, ...] = ()
    """A line for each property of the role that has no effect in the local stack."""


def find(template: Template, function: Properties, queue_arn: str) -> tuple[FunctionRole | None, str]:
    """Return the function's role, or None and the reason why its rights cannot be enforced here.

    Raises:
        TemplateError: the role does not allow Lambda to read the queue, which AWS refuses, or has invalid policies.
    """
    match function.content.get("Role"):
        case {"Fn::GetAtt": [str(name), "Arn"]} if template.resources.get(name, {}).get("Type") == _KIND:
            pass
        case _:
            return None, f"{function.location}.Role names no {_KIND} of this template"
    role = Properties(template, f"Resources.{name}.Properties", template.resources[name].get("Properties") or {})
    if role.content.get("ManagedPolicyArns"):
        return None, f"{role.location}.ManagedPolicyArns names policies that are not in this template"
    found = _inline_policies(role)
    for action in _MAPPING_ACTIONS:
        if not policies.allows(found.values(), action, queue_arn):
            text = (
                f"none allows {action} on {queue_arn}. Lambda reads the queue with this role, and AWS refuses an event "
                "source mapping without it. Add the action to a statement."
            )
            raise role.error("Policies", text)
    trust = role.mapping("AssumeRolePolicyDocument").content
    return FunctionRole(name, trust, found, tuple(_boundary_warning(role))), ""


def _boundary_warning(role: Properties) -> Iterator[str]:
    if role.value("PermissionsBoundary") is not None:
        text = "has no effect here: it may refuse on AWS what the role's policies allow."
        yield role.template.warning(f"{role.location}.PermissionsBoundary", text)


def _inline_policies(role: Properties) -> dict[str, Mapping[str, Any]]:
    listed = role.value("Policies") or []
    try:
        return {str(one["PolicyName"]): dict(one["PolicyDocument"]) for one in listed}
    except (TypeError, KeyError, ValueError) as error:
        raise TemplateError(
            str(role.error("Policies", f"each policy needs PolicyName and PolicyDocument: {error!r}"))
        ) from error
