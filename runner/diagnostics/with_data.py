"""Checks a pipeline's config against a raw file: readers, columns, types, times and units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.diagnostics.document import Document, read
from runner.diagnostics.problem import Problem, did_you_mean
from runner.diagnostics.section import Section, sections
from runner.diagnostics.variables import differs, variables
from runner.function import pipeline
from runner.function.explanations import chain, explain


def check(root: Path, config_name: str, file: Path) -> list[Problem]:
    """Return what of a config does not fit a raw file."""
    config = read(root, config_name)
    found, _ = sections(root, config)
    retriever, dataset = found["retriever"], found["dataset"]
    built = pipeline.load(Path(config_name), lambda _: {})
    reader = _reader(built.retriever, file)
    if reader is None:
        patterns = ", ".join(repr(str(pattern)) for pattern in retriever.content.get("readers") or ())
        return [
            retriever.problem(("readers",), f"no pattern of a reader matches {file.name!r}: {patterns}. Correct one.")
        ]
    pattern, reader = reader
    try:
        raw = reader.read(str(file))
    except Exception as error:  # of any reader
        text = f"{type(reader).__name__} cannot read {file.name}: {_text(error)}"
        return [retriever.problem(("readers", pattern), text)]
    raws = list(raw.values()) if isinstance(raw, dict) else [raw]
    problems = [*_columns(retriever, dataset, raws)]
    return problems or [*_retrieved(built, config, dataset, retriever, file)]


def _reader(retriever: Any, file: Path) -> tuple[str, Any] | None:
    for pattern, reader in (getattr(retriever, "readers", None) or {}).items():
        if pattern.match(str(file)):
            return pattern.pattern, reader
    return None


def _columns(retriever: Section, dataset: Section, raws: list[Any]) -> Iterator[Problem]:
    known = {str(name) for raw in raws for name in raw.variables}
    wanted = {keys[-1]: variable for keys, variable in variables(dataset)}
    for keys, rule in variables(retriever):
        names = rule.get("name")
        names = [names] if isinstance(names, str) else names
        if not isinstance(names, list):
            continue  # one rule for each pattern of inputs
        present = [name for name in names if name in known]
        if not present:
            text = f"the file has no column {names[0]!r}.{did_you_mean(names[0], sorted(known))}"
            yield retriever.problem((*keys, "name"), text)
            continue
        column = next(raw[present[0]] for raw in raws if present[0] in raw.variables)
        variable = wanted.get(keys[-1], {})
        yield from _text_in_numbers(retriever, (*keys, "name"), column, variable, rule)
        yield from _stated_units(retriever, (*keys, "name"), column, variable, rule)


def _text_in_numbers(
    retriever: Section, keys: tuple[Any, ...], column: Any, variable: Mapping[str, Any], rule: Mapping[str, Any]
) -> Iterator[Problem]:
    dtype = str(variable.get("dtype", ""))
    if column.dtype.kind not in "OSU" or not dtype.startswith(("float", "int", "uint")) or rule.get("data_converters"):
        return
    for row, value in enumerate(column.to_numpy().ravel(), 1):
        try:
            float(value)
        except (TypeError, ValueError):
            text = f"column {column.name!r} has the text {value!r} in row {row}, and the dataset wants {dtype}."
            yield retriever.problem(
                keys, f"{text} Name it as missing in the reader (na_values), or convert the column."
            )
            return


def _stated_units(
    retriever: Section, keys: tuple[Any, ...], column: Any, variable: Mapping[str, Any], rule: Mapping[str, Any]
) -> Iterator[Problem]:
    stated = str(column.attrs.get("units", ""))
    attributes = variable.get("attrs")
    units = str(attributes.get("units", "")) if isinstance(attributes, Mapping) else ""
    converters = [one for one in rule.get("data_converters") or [] if isinstance(one, Mapping)]
    assumed = next((str(one["input_units"]) for one in converters if "input_units" in one), units)
    if stated and assumed and (not converters or assumed != units) and differs(stated, assumed):
        text = f"the file says that {column.name!r} is in {stated}, and the config takes it as {assumed}."
        yield retriever.problem(keys, f"{text} Add or correct a UnitsConverter with input_units: {stated}.")


def _retrieved(built: Any, config: Document, dataset: Section, retriever: Section, file: Path) -> Iterator[Problem]:
    import numpy as np

    try:
        result = built.retriever.retrieve([str(file)], built.dataset_config)
        times = result["time"].to_numpy() if "time" in result.variables else np.array([])
    except Exception as error:  # of any converter
        yield config.problem(("retriever",), f"{file.name} cannot be retrieved: {_text(error)}")
        return
    steps = np.diff(times) if times.dtype.kind == "M" else np.array([])
    wrong = np.flatnonzero(steps <= np.timedelta64(0))
    if wrong.size:
        row = int(wrong[0]) + 2
        text = f"time does not increase in row {row}: {times[row - 2]} is followed by {times[row - 1]}."
        yield retriever.problem(
            ("coords", "time"), f"{text} Sort or drop such rows in a reader, or correct the format."
        )
    for keys, _ in variables(retriever):
        name = keys[-1]
        if name in result.variables and result[name].size and bool(result[name].isnull().all()):
            yield retriever.problem(keys, f"all {result[name].size} values of {name!r} are missing in {file.name}.")


def _text(error: BaseException) -> str:
    cause = list(chain(error))[-1]
    name = type(cause).__name__
    text = " ".join(str(cause).split()) or name
    return f"{name}: {text}. {explain(error) or ''}".rstrip()
