"""Checks sections against tsdat's own models, and says what is wrong in the user's terms."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from runner.diagnostics.document import Keys
from runner.diagnostics.problem import Problem, did_you_mean
from runner.diagnostics.section import Section

# Keys that tsdat accepts anywhere in these places, so that a misspelt one has no effect.
_PIPELINE = {
    "classname", "triggers", "parameters", "retriever", "dataset", "quality", "storage", "cfg_filepath", "companions",
    "multidispatch",
}  # fmt: skip
_RETRIEVER = {"classname", "readers", "coords", "data_vars", "parameters"}
_VARIABLE = {"name", "data_converters"}
_PATTERNS = {
    "location_id": "only letters, digits and underscores",
    "dataset_name": "at least two lowercase letters, digits and underscores",
    "data_level": "a letter and a digit, such as a1, b1 or c1",
    "qualifier": "only letters, digits and underscores",
    "temporal": "a number and a unit, such as 10m or 1h",
}
UNEXPECTED = "unexpected"
"""The key of a problem that tsdat did not expect; any other problem of the section explains it better."""
_REQUIRED = {
    "dtype": "such as float, int or str", "dims": "such as [time]", "name": "the variable's name in the raw file",
}  # fmt: skip


def check(kind: str, section: Section) -> Iterator[Problem]:
    """Yield the problems of a section's structure."""
    content = section.content
    if kind == "retriever":
        yield from _misspelt(section, (), content, _RETRIEVER)
        for group in ("coords", "data_vars"):
            for name, rule in _mapping(content.get(group)).items():
                for keys, one in _rules((group, name), rule):
                    yield from _misspelt(section, keys, one, _VARIABLE)
    errors = _validate(kind, content)
    renamed = _renamed(errors, content)
    reported: set[Keys] = set()
    for error in errors:
        keys = _in_content(error["loc"], content)
        name = str(error["loc"][-1]) if error["loc"] else ""
        marker = (*keys, name) if error["type"] == "missing" else keys
        if marker in reported or marker in renamed.values():  # each alternative of a union reports the same
            continue
        reported.add(marker)
        text = _text(error, keys, content)
        if keys in renamed:
            text = f"unknown key {keys[-1]!r}. Did you mean {renamed[keys][-1]!r}?"
        yield (
            section.problem(keys, text, key=UNEXPECTED) if error["type"] == UNEXPECTED else section.problem(keys, text)
        )


def _renamed(errors: list[Any], content: Any) -> dict[Keys, Keys]:
    """Return the required keys that are missing because they are misspelt, by the key that is there instead."""
    places = [(error["type"], (*_in_content(error["loc"], content), *_last(error))) for error in errors]
    missing = [keys for kind, keys in places if kind == "missing"]
    found: dict[Keys, Keys] = {}
    for kind, keys in places:
        if kind == "extra_forbidden":
            beside = [str(one[-1]) for one in missing if one[:-1] == keys[:-1]]
            for name in difflib.get_close_matches(str(keys[-1]), beside, 1):
                found[keys] = (*keys[:-1], name)
    return found


def _last(error: Any) -> Keys:
    """Return the name of a missing key, which is not in the content."""
    return (error["loc"][-1],) if error["type"] == "missing" else ()


def unknown_pipeline_keys(section: Section) -> Iterator[Problem]:
    """Yield the keys of a pipeline's config that tsdat ignores."""
    yield from _misspelt(section, (), section.content, _PIPELINE)


def _validate(kind: str, content: Mapping[str, Any]) -> list[Any]:
    import copy

    from pydantic import ValidationError
    from tsdat.config.dataset import DatasetConfig
    from tsdat.config.quality import QualityConfig
    from tsdat.config.retriever import RetrieverConfig
    from tsdat.config.storage import StorageConfig

    models = {
        "retriever": RetrieverConfig, "dataset": DatasetConfig, "quality": QualityConfig, "storage": StorageConfig,
    }  # fmt: skip
    try:
        models[kind](**copy.deepcopy(dict(content)))
    except ValidationError as error:
        return error.errors(include_url=False)
    except Exception as error:  # a validator of tsdat did not expect a value, or that one is missing
        found = _missing_in_variables(content) if kind == "dataset" else []
        return found or [{"type": UNEXPECTED, "loc": (), "msg": f"{type(error).__name__}: {error}", "input": None}]
    return []


def _missing_in_variables(content: Mapping[str, Any]) -> list[Any]:
    """Return pydantic's errors for required keys, which a validator of tsdat needs before pydantic can report them."""
    return [
        {"type": "missing", "loc": (group, name, key), "msg": "", "input": None}
        for group in ("coords", "data_vars")
        for name, variable in _mapping(content.get(group)).items()
        for key in ("dims", "dtype", "attrs")
        if key not in _mapping(variable)
    ]


def _in_content(loc: tuple[Any, ...], content: Any) -> Keys:
    """Return the part of pydantic's location that is in the content; the rest names models and alternatives."""
    keys: list[Any] = []
    for part in loc:
        if (
            isinstance(content, Mapping)
            and part in content
            or isinstance(content, list)
            and isinstance(part, int)
            and part < len(content)
        ):
            keys.append(part)
            content = content[part]
    return tuple(keys)


def _text(error: Any, keys: Keys, content: Any) -> str:
    name = str(error["loc"][-1]) if error["loc"] else ""
    value = error.get("input")
    if "'units' attr is required" in str(error["msg"]) and len(keys) > 1:
        return f"{keys[-2]} has no units. Add them, or '1' for a number without a unit."
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "missing":
        present = list(_mapping(_at(content, keys)))
        advice = f", {_REQUIRED[name]}" if name in _REQUIRED else ""
        return f"{'.'.join(map(str, keys)) or 'the config'} has no {name!r}{advice}.{_near(name, present)}"
    if error["type"] == "extra_forbidden":
        return f"unknown key {name!r}: tsdat does not accept it here. Correct or remove it."
    if name in _PATTERNS and error["type"].startswith("string"):
        return f"{name} is {value!r}. Write {_PATTERNS[name]}: it is a part of file names."
    if error["type"] == "string_type":
        return f"{name or 'a value'} is {value!r}, and must be text. Put it into quotes."
    return f"{name + ': ' if name and name not in message else ''}{message}"


def _near(name: str, present: list[Any]) -> str:
    suggestion = did_you_mean(name, present)
    return suggestion if "Did you mean" in suggestion else ""


def _misspelt(section: Section, keys: Keys, content: Any, known: set[str]) -> Iterator[Problem]:
    for key in _mapping(content):
        if key not in known:
            suggestion = did_you_mean(key, sorted(known))
            severity: Any = "error" if "Did you mean" in suggestion else "warning"
            text = f"unknown key {key!r}: it has no effect.{suggestion}"
            yield section.problem((*keys, key), text, severity=severity)


def _rules(keys: Keys, rule: Any) -> Iterator[tuple[Keys, Any]]:
    """Yield the rules of a retrieved variable: one, or one for each pattern of inputs."""
    if isinstance(rule, Mapping) and "name" not in rule and rule and all(isinstance(v, Mapping) for v in rule.values()):
        for pattern, one in rule.items():
            yield (*keys, pattern), one
    else:
        yield keys, rule


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _at(content: Any, keys: Keys) -> Any:
    for key in keys:
        content = content[key]
    return content
