"""The event patterns of filter criteria, which select the messages that reach the function. Pure.

A pattern is a mapping of names to lists of rules, nested as the event is ("Control which events Lambda sends to your
function", AWS Lambda Developer Guide):

    {"body": {"Records": {"s3": {"object": {"key": [{"prefix": "buoys/"}]}}}}}
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping
from typing import Any

_MISSING = object()
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def parse(text: str) -> Mapping[str, Any]:
    """Return a pattern from its JSON text.

    Raises:
        ValueError: AWS would reject it; the text names the part.
    """
    try:
        pattern = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{text!r} is not JSON: {error}.") from None
    if not isinstance(pattern, Mapping) or set(pattern) != {"body"}:
        raise ValueError(
            f"{text!r} must be an object with the one key body: SQS messages are filtered by nothing else."
        )
    _check(pattern, "")
    return pattern


def _check(pattern: Any, location: str) -> None:
    if isinstance(pattern, Mapping) and pattern:
        for name, part in pattern.items():
            if name == "$or" and isinstance(part, list) and part:
                for alternative in part:
                    _check(alternative, f"{location}.$or")
            else:
                _check(part, f"{location}.{name}")
    elif isinstance(pattern, list) and pattern:
        for rule in pattern:
            if not _is_rule(rule):
                raise ValueError(f"{location.lstrip('.')}: {json.dumps(rule)} is not a rule that Lambda knows.")
    else:
        raise ValueError(f"{location.lstrip('.')}: {json.dumps(pattern)} must be a list of rules, or an object.")


def _is_rule(rule: Any) -> bool:
    if not isinstance(rule, Mapping):
        return not isinstance(rule, list)
    match list(rule.items()):
        case [("exists", bool())] | [("prefix" | "suffix" | "equals-ignore-case", str())]:
            return True
        case [("anything-but", unwanted)]:
            parts = unwanted if isinstance(unwanted, list) else [unwanted]
            return bool(parts) and all(_is_rule(part) for part in parts)
        case [("numeric", [*limits])]:
            pairs = list(zip(limits[::2], limits[1::2], strict=False))
            return len(limits) in (2, 4) and all(
                sign in _COMPARISONS and isinstance(number, int | float) for sign, number in pairs
            )
    return False


def matches(pattern: Mapping[str, Any], body: str) -> bool:
    """Return whether a message's body matches. A body that is not JSON matches only rules for a plain string."""
    rules = pattern["body"]
    try:
        content = json.loads(body)
    except json.JSONDecodeError:
        content = body
    if isinstance(content, Mapping) != isinstance(rules, Mapping):
        return False
    return _matches(rules, content)


def _matches(pattern: Any, value: Any) -> bool:
    if isinstance(value, list):  # one matching item is enough
        return any(_matches(pattern, item) for item in value) or (not value and _matches(pattern, _MISSING))
    if isinstance(pattern, list):
        return any(_obeys(rule, value) for rule in pattern)
    inner = value if isinstance(value, Mapping) else {}
    return all(
        any(_matches(alternative, inner) for alternative in part)
        if name == "$or"
        else _matches(part, inner.get(name, _MISSING))
        for name, part in pattern.items()
    )


def _obeys(rule: Any, value: Any) -> bool:
    if not isinstance(rule, Mapping):
        return bool(rule == value) and (type(rule) is type(value) or _both_numbers(rule, value))
    ((kind, operand),) = rule.items()
    if kind == "exists":
        return (value is not _MISSING) is operand
    if value is _MISSING:
        return False
    if kind == "anything-but":
        return not any(_obeys(unwanted, value) for unwanted in (operand if isinstance(operand, list) else [operand]))
    if kind == "numeric":
        pairs = zip(operand[::2], operand[1::2], strict=True)
        return _both_numbers(0, value) and all(_COMPARISONS[sign](value, limit) for sign, limit in pairs)
    if not isinstance(value, str):
        return False
    if kind == "equals-ignore-case":
        return value.lower() == str(operand).lower()
    return value.startswith(operand) if kind == "prefix" else value.endswith(operand)


def _both_numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
