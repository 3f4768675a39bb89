"""Whether the queue's policy lets the trigger send to it.

AWS refuses a bucket's notification otherwise, and drops the events of a rule or a topic without a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runner.messages import policies
from runner.template.event_sources import EventSource
from runner.template.resource_settings import queue_policy
from runner.template.resources import Properties

_ACTION = "sqs:SendMessage"


def check(queue: Properties, queue_arn: str, source: EventSource) -> None:
    """Check that a statement of the queue's policy allows the trigger to send.

    Raises:
        TemplateError: none does. The text has the statement to add.
    """
    service, sender = _sender(queue, source)
    statements = policies.statements(queue_policy(queue) or {})
    if any(_allows(statement, service, sender, queue_arn) for statement in statements):
        return
    condition = f', Condition: {{ArnEquals: {{"aws:SourceArn": "{sender}"}}}}' if sender else ""
    text = (
        f"no AWS::SQS::QueuePolicy lets {service} send to this queue for {sender or 'the rule'}, so no file would "
        f"arrive. Add this to its statements: {{Effect: Allow, Principal: {{Service: {service}}}, Action: {_ACTION}, "
        f'Resource: "{queue_arn}"{condition}}}'
    )
    raise queue.template.error(queue.location, text)


def _sender(queue: Properties, source: EventSource) -> tuple[str, str]:
    """Return the service that sends, and the ARN for which it does; no ARN for a rule without a name."""
    if source.rule:
        name = source.rule.get("Name")
        prefix = queue.template.value({"Fn::Sub": "arn:aws:events:${AWS::Region}:${AWS::AccountId}:rule/"}, "")
        return "events.amazonaws.com", f"{prefix}{name}" if name else ""
    if source.subscription:
        return "sns.amazonaws.com", str(source.subscription["TopicArn"])
    return "s3.amazonaws.com", f"arn:aws:s3:::{source.bucket}"


def _allows(statement: Mapping[str, Any], service: str, sender: str, queue_arn: str) -> bool:
    principal = statement.get("Principal")
    services = policies.listed(principal.get("Service") if isinstance(principal, Mapping) else principal)
    return (
        policies.allows([{"Statement": statement}], _ACTION, queue_arn)
        and (service in services or principal in ("*", {"AWS": "*"}))
        and (not sender or all(policies.matches(patterns, sender) for patterns in _source_arns(statement)))
    )


def _source_arns(statement: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the patterns of each condition on aws:SourceArn; other conditions count as met."""
    for operator, keys in (statement.get("Condition") or {}).items():
        if operator.partition("If")[0] in ("ArnEquals", "ArnLike", "StringEquals", "StringLike"):
            yield from (value for key, value in keys.items() if key.lower() == "aws:sourcearn")
