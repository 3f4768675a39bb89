"""Makes an example of a name that a regular expression matches, to show where two patterns overlap."""

from __future__ import annotations

import re
from re import _parser  # type: ignore[attr-defined]
from typing import Any

_CATEGORIES = {"CATEGORY_DIGIT": "1", "CATEGORY_SPACE": " ", "CATEGORY_WORD": "a"}


def example(pattern: str) -> str | None:
    """Return a short text that a pattern matches; None if none is found."""
    try:
        text = _text(_parser.parse(pattern))
    except (re.error, RecursionError):
        return None
    return text if re.match(pattern, text) else None


def _text(parsed: Any) -> str:
    return "".join(_one(str(kind), argument) for kind, argument in parsed)


def _one(kind: str, argument: Any) -> str:
    match kind:
        case "LITERAL":
            return chr(int(argument))
        case "ANY":
            return "x"
        case "NOT_LITERAL":
            return "x" if chr(argument) != "x" else "y"
        case "IN":
            return _member(argument)
        case "BRANCH":
            return _text(argument[1][0])
        case "SUBPATTERN":
            return _text(argument[-1])
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            least, inner = int(argument[0]), argument[2]
            return _text(inner) * least
        case "ATOMIC_GROUP":
            return _text(argument)
    return ""  # anchors and assertions


def _member(choices: Any) -> str:
    kind, argument = choices[0]
    if str(kind) == "NEGATE":
        excluded = {chr(value) for name, value in choices[1:] if str(name) == "LITERAL"}
        return next((one for one in "xy1_-." if one not in excluded), "x")
    if str(kind) == "RANGE":
        return chr(int(argument[0]))
    if str(kind) == "CATEGORY":
        return _CATEGORIES.get(str(argument), "-")
    return chr(int(argument))
