"""Chooses and checks the value of a template parameter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runner.template.return_values import ONLY_ON_AWS


def parameter_value(definition: Mapping[str, Any], given: str | None) -> Any:
    """Return the given value or the default; a list for list types.

    Args:
        definition: the entry in the template's Parameters section.

    Raises:
        ValueError: there is no value, it is not allowed, or only AWS knows it.
    """
    kind = str(definition.get("Type"))
    if kind.startswith("AWS::SSM::"):
        raise ValueError(f"a value of type {kind} {ONLY_ON_AWS}")
    value = definition.get("Default") if given is None else given
    if value is None:
        raise ValueError("it has no Default and no value. Add a Default.")
    allowed = definition.get("AllowedValues")
    if allowed and str(value) not in map(str, allowed):
        raise ValueError(f"{value!r} is not allowed. Use one of: {', '.join(map(str, allowed))}.")
    pattern = definition.get("AllowedPattern")
    if pattern and not re.fullmatch(pattern, str(value)):
        raise ValueError(f"{value!r} is not allowed. {definition.get('ConstraintDescription') or pattern}")
    return str(value).split(",") if kind == "CommaDelimitedList" or kind.startswith("List<") else value
