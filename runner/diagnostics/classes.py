"""Checks the classes that a config names: that they exist, are of the right kind, and accept their parameters."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

from runner.diagnostics.document import Keys
from runner.diagnostics.problem import Problem, did_you_mean
from runner.diagnostics.section import Section
from runner.function.explanations import chain, explain


def check(kind: str, section: Section) -> Iterator[Problem]:
    """Yield the problems of all class names in a section."""
    for keys, node, base in _named(kind, section.content):
        yield from _class_problems(section, keys, node, base)


def _named(kind: str, content: Mapping[str, Any]) -> Iterator[tuple[Keys, Mapping[str, Any], str]]:
    """Yield each mapping with a class name, where it is, and the class of tsdat that it must derive from."""
    yield (), content, {"retriever": "Retriever", "storage": "Storage", "pipeline": "Pipeline"}.get(kind, "")
    for pattern, reader in _items(content.get("readers")):
        yield ("readers", pattern), reader, "DataReader"
    for group in ("coords", "data_vars"):
        for name, rule in _items(content.get(group)) if kind == "retriever" else ():
            for keys, one in _rules((group, name), rule):
                for number, converter in enumerate(one.get("data_converters") or []):
                    yield (*keys, "data_converters", number), converter, "DataConverter"
    if isinstance(content.get("handler"), Mapping):
        yield ("handler",), content["handler"], "DataHandler"
    for number, manager in enumerate(content.get("managers") or []):
        if isinstance(manager, Mapping):
            yield ("managers", number, "checker"), manager.get("checker") or {}, "QualityChecker"
            for at, handler in enumerate(manager.get("handlers") or []):
                yield ("managers", number, "handlers", at), handler, "QualityHandler"


def _rules(keys: Keys, rule: Mapping[str, Any]) -> Iterator[tuple[Keys, Mapping[str, Any]]]:
    if "name" in rule:
        yield keys, rule
    else:
        yield from (((*keys, pattern), one) for pattern, one in _items(rule))


def _items(value: Any) -> list[tuple[Any, Mapping[str, Any]]]:
    return [(key, one) for key, one in value.items() if isinstance(one, Mapping)] if isinstance(value, Mapping) else []


def _class_problems(section: Section, keys: Keys, node: Any, base: str) -> Iterator[Problem]:
    if not base or not isinstance(node, Mapping) or not isinstance(node.get("classname"), str):
        return  # a missing class name is reported by the schema
    dotted, where = node["classname"], (*keys, "classname")
    module_name, _, name = dotted.rpartition(".")
    if not module_name:
        yield section.problem(where, f"{dotted!r} must be the path of a class, such as tsdat.io.readers.CSVReader.")
        return
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever a user's module raises
        yield section.problem(where, _import_problem(module_name, error))
        return
    found = getattr(module, name, None)
    if found is None:
        classes = [key for key, value in vars(module).items() if isinstance(value, type)]
        yield section.problem(where, f"{module_name} has no class {name!r}.{did_you_mean(name, classes)}")
        return
    expected = _bases()[base]
    if not (isinstance(found, type) and issubclass(found, expected)):
        yield section.problem(where, f"{dotted} is no {base}, which this place requires.")
        return
    if base in ("DataReader", "DataConverter", "QualityChecker", "QualityHandler"):
        yield from _parameter_problems(section, keys, node, found)


def _import_problem(module_name: str, error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name and module_name.startswith(error.name):
        parent, _, last = error.name.rpartition(".")
        known = []
        if parent:
            known = [one.name for one in pkgutil.iter_modules(importlib.import_module(parent).__path__)]
        elif (explained := explain(error)) and "runner add" in explained:
            return explained.replace("The config imports", "its module needs")
        return f"there is no module {error.name!r}.{did_you_mean(last, known)}"
    cause = list(chain(error))[0]
    return f"{module_name} cannot be imported: {type(cause).__name__}: {cause}. {explain(error) or ''}".rstrip()


def _parameter_problems(section: Section, keys: Keys, node: Mapping[str, Any], found: Any) -> Iterator[Problem]:
    from pydantic import ValidationError

    try:
        found(**{key: value for key, value in node.items() if key != "classname"})
    except ValidationError as error:
        for one in error.errors(include_url=False):
            name = str(one["loc"][-1]) if one["loc"] else ""
            known = list(getattr(getattr(found, "Parameters", found), "model_fields", {}))
            suggestion = did_you_mean(name, known) if one["type"] == "extra_forbidden" else ""
            what = "is unknown" if one["type"] == "extra_forbidden" else str(one["msg"]).removeprefix("Value error, ")
            text = f"{found.__name__}: parameter {name!r}: {what}.{suggestion}"
            yield section.problem((*keys, *one["loc"]), text)
    except Exception as error:  # of the user's own constructor
        yield section.problem(keys, f"{found.__name__} cannot be built: {type(error).__name__}: {error}")


def _bases() -> dict[str, type]:
    from tsdat.io.base import DataConverter, DataHandler, DataReader, Retriever, Storage
    from tsdat.pipeline.base import Pipeline
    from tsdat.qc.base import QualityChecker, QualityHandler

    bases = (DataConverter, DataHandler, DataReader, Retriever, Storage, Pipeline, QualityChecker, QualityHandler)
    return {base.__name__: base for base in bases}
