"""Checks that retriever, dataset and quality agree: variables, types and units."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from runner.diagnostics.document import Keys
from runner.diagnostics.problem import Problem, did_you_mean
from runner.diagnostics.section import Section

_GROUPS = ("coords", "data_vars")
_EVERYTHING = {"COORDS", "DATA_VARS"}
_CONVERTER = "UnitsConverter"
# The unit that the end of a raw name stands for, where it is unmistakable.
_SUFFIXES = {
    "_f": "degF", "_degf": "degF", "_fahrenheit": "degF", "_mph": "mph", "_kt": "knot", "_kts": "knot",
    "_knots": "knot", "_inhg": "inHg", "_ft": "foot", "_feet": "foot", "_in": "inch", "_inches": "inch",
}  # fmt: skip


def check_dataset(dataset: Section) -> Iterator[Problem]:
    """Yield variables with a type that numpy does not know, or with a unit that pint does not know."""
    import numpy as np
    from tsdat.config.variables.ureg import check_unit

    for keys, variable in variables(dataset):
        dtype = variable.get("dtype")
        if isinstance(dtype, str):
            try:
                np.dtype(dtype)
            except TypeError:
                known = ["float", "float32", "float64", "int", "int32", "int64", "str", "bool", "datetime64[s]"]
                yield dataset.problem((*keys, "dtype"), f"{dtype!r} is no type of numpy.{did_you_mean(dtype, known)}")
        attributes = variable.get("attrs")
        if not isinstance(attributes, Mapping):
            continue
        units = attributes.get("units")
        if units is None:
            continue  # tsdat reports it
        try:
            check_unit(str(units), keep_exp=True)
        except Exception as error:  # pint has several
            text = f"{units!r} is no unit that tsdat knows: {error}. Write it as in m/s, degC, hPa or 1."
            yield dataset.problem((*keys, "attrs", "units"), text)


def check_agreement(retriever: Section, dataset: Section, source: str) -> Iterator[Problem]:
    """Yield variables that nothing fills, that go nowhere, and whose unit is not converted.

    Args:
        source: the pipeline's Python code, which may fill variables.
    """
    wanted = {keys[-1]: variable for keys, variable in variables(dataset)}
    read = {keys[-1] for keys, _ in variables(retriever)}
    uses_storage = "readers" not in retriever.content
    for keys, variable in variables(dataset):
        name = str(keys[-1])
        is_filled = name in read or variable.get("data") is not None or re.search(rf"\b{re.escape(name)}\b", source)
        if not is_filled and not uses_storage:
            suggestion = did_you_mean(name, read - set(wanted))
            text = f"nothing fills {name!r}: it is not in the retriever, and would be missing.{suggestion}"
            yield dataset.problem(keys, text, severity="error" if name == "time" else "warning")
    for keys, rule in variables(retriever):
        name = str(keys[-1])
        if name not in wanted:
            suggestion = did_you_mean(name, set(wanted) - read)
            text = f"{name!r} is not in the dataset ({dataset.document.name}), which tsdat requires.{suggestion}"
            yield retriever.problem(keys, f"{text} Add it there, or remove it here.")
            continue
        yield from _unit_problems(retriever, keys, rule, _units(wanted[name]))


def check_quality(quality: Section, dataset: Section) -> Iterator[Problem]:
    """Yield names in apply_to and exclude that are no variables."""
    known = {str(keys[-1]) for keys, _ in variables(dataset)} | _EVERYTHING
    for number, manager in enumerate(quality.content.get("managers") or []):
        for key in ("apply_to", "exclude"):
            names = manager.get(key) if isinstance(manager, Mapping) else None
            for at, name in enumerate(names if isinstance(names, list) else []):
                if str(name) not in known and not str(name).startswith("qc_"):
                    text = f"{key} names {name!r}, which is not in the dataset.{did_you_mean(name, known)}"
                    yield quality.problem(("managers", number, key, at), text)


def variables(section: Section) -> Iterator[tuple[Keys, Mapping[str, Any]]]:
    """Yield the variables of a section with their keys."""
    for group in _GROUPS:
        content = section.content.get(group)
        for name, variable in content.items() if isinstance(content, Mapping) else ():
            if isinstance(variable, Mapping):
                yield (group, name), variable


def _units(variable: Mapping[str, Any]) -> str:
    attributes = variable.get("attrs")
    return str(attributes.get("units") or "") if isinstance(attributes, Mapping) else ""


def _unit_problems(retriever: Section, keys: Keys, rule: Mapping[str, Any], units: str) -> Iterator[Problem]:
    """Yield a converter from an impossible unit, and a raw name that says another unit with no converter."""
    converters = [one for one in rule.get("data_converters") or [] if isinstance(one, Mapping)]
    for number, converter in enumerate(converters):
        given = converter.get("input_units")
        if str(converter.get("classname")).endswith(_CONVERTER) and given and units:
            where = (*keys, "data_converters", number, "input_units")
            if (same := is_convertible(str(given), units)) is None:
                yield retriever.problem(where, f"{given!r} is no unit that tsdat knows. Write it as in degF or m/s.")
            elif not same:
                yield retriever.problem(where, f"{given!r} cannot be converted to {units!r}, the units of the dataset.")
    raw = rule.get("name")
    has_no_converter = set(rule) == {"name"}  # a misspelt key may have been meant to add one
    if isinstance(raw, str) and units and has_no_converter and (stated := unit_in_name(raw)) and differs(stated, units):
        text = (
            f"{raw!r} seems to be in {stated}, and the dataset's units are {units}. Add a data converter: "
            f"tsdat.io.converters.UnitsConverter with input_units: {stated}."
        )
        yield retriever.problem((*keys, "name"), text)


def unit_in_name(name: str) -> str | None:
    """Return the unit that the name of a raw column states: in brackets, or by a suffix that stands for one."""
    if found := re.search(r"[(\[]\s*([^)\]]+?)\s*[)\]]\s*$", name):
        return found[1].replace("°", "deg")
    return next((unit for suffix, unit in _SUFFIXES.items() if name.lower().endswith(suffix)), None)


def is_convertible(given: str, wanted: str) -> bool | None:
    """Return whether a unit can be converted to another; None if one is unknown."""
    from tsdat.config.variables.ureg import ureg

    try:
        return bool(ureg.Unit(given).is_compatible_with(ureg.Unit(wanted)))
    except Exception:  # pint has several
        return None


def differs(given: str, wanted: str) -> bool:
    """Return whether two units are of one kind, and a value in one is another in the other."""
    from tsdat.config.variables.ureg import ureg

    try:
        one = ureg.Quantity(1.0, given).to(wanted).magnitude
    except Exception:
        return False
    return abs(one - 1.0) > 1e-9
