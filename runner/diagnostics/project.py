"""Checks all configs of a project: each by itself, and against each other."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from runner.diagnostics import classes, hooks, imports, old_formats, schema, variables
from runner.diagnostics.document import Document, read
from runner.diagnostics.examples import example
from runner.diagnostics.problem import Problem
from runner.diagnostics.section import Section, sections
from runner.errors import RunnerError
from runner.function import pipeline, routing
from runner.function.explanations import chain, explain
from runner.function.isolation import isolated
from runner.settings import Settings

_PLACEHOLDER = re.compile(r"\{\{\s*cookiecutter|<[A-Z][A-Z _]+>")


@dataclass(frozen=True)
class Checked:
    """A pipeline's config, with what is needed to compare it with others."""

    config: Document
    route: routing.Route | None
    datastream: str = ""


def check(settings: Settings, packages: Path | None = None) -> list[Problem]:
    """Return the problems of a project's routes and configs, in the order of files and lines.

    The project becomes the working directory.

    Args:
        packages: the folder of the project's own packages, if it has some.
    """
    os.chdir(settings.root)  # tsdat's configs name files relative to the project
    pipeline.use_project(settings.root)
    problems: list[Problem] = list(old_formats.check(settings.root))
    routes, found = _routes(settings.root)
    problems += found
    names = configs(settings.root)
    if not problems and not names:
        problems.append(Problem("pipelines", 1, 1, "there is no pipeline. `runner new` makes one from a raw file."))
    by_config = {route.config: route for route in routes}
    checked = []
    for name in names:
        with isolated([]):  # libraries warn of what is reported here better
            config, found = _check_config(settings.root, name, has_route=name in by_config)
        folder = Path(name).parts[1]
        problems += [replace(one, pipeline=folder) for one in found]
        if config:
            checked.append(Checked(config, by_config.get(name), _datastream(settings.root, config)))
    problems += [*_twins(checked), *imports.check(settings.root, packages)]
    return sorted(set(problems))


def configs(root: Path) -> list[str]:
    """Return the pipelines' configs, relative to the project, as tsdat's template finds them."""
    return [path.relative_to(root).as_posix() for path in routing.pipeline_configs(root / "pipelines")]


def _routes(root: Path) -> tuple[Iterable[routing.Route], list[Problem]]:
    try:
        return routing.load(root).routes, []
    except RunnerError as error:
        problems = []
        for line in str(error).splitlines():
            name, _, text = line.partition(": ")
            name = name.removeprefix(f"{root}/")
            if (root / name).is_file():
                document = read(root, name)
                key = re.match(r"(?:triggers\[(\d+)\]|(pipelines|locations)\.(\S+))(?=:)", text)
                keys = () if not key else ("triggers", int(key[1])) if key[1] else (key[2], key[3])
                if not document.problems:  # a syntax error is reported with its line
                    problems.append(document.problem(keys, text))
            else:
                problems.append(Problem("pipelines", 1, 1, line))
        return [], problems


def _check_config(root: Path, name: str, *, has_route: bool) -> tuple[Document | None, list[Problem]]:
    config = read(root, name)
    if config.problems or not isinstance(config.content, Mapping):
        return None, config.problems
    whole = Section(config.content, config)
    problems = [*schema.unknown_pipeline_keys(whole), *classes.check("pipeline", whole), *_placeholders(root, config)]
    problems += hooks.check(root, str(config.content.get("classname", "")))
    found, broken = sections(root, config)
    problems += broken
    for kind, section in found.items():
        problems += schema.check(kind, section)
        problems += classes.check(kind, section)
        if section.document is not config:
            problems += _placeholders(root, section.document)
    if "dataset" in found:
        problems += variables.check_dataset(found["dataset"])
        if "retriever" in found:
            code = _source(root, name)
            problems += variables.check_agreement(found["retriever"], found["dataset"], code)
        if "quality" in found:
            problems += variables.check_quality(found["quality"], found["dataset"])
    if "storage" in found:
        problems += _storage(found["storage"])
    errors = [problem for problem in problems if problem.severity == "error"]
    if not errors and has_route:
        problems += _build(config)
    if len(errors) > 1:
        problems = [problem for problem in problems if problem.key != schema.UNEXPECTED]
    return config, problems


def _build(config: Document) -> Iterator[Problem]:
    """Yield what tsdat itself says when it builds a pipeline in which nothing else was found."""
    try:
        pipeline.load(Path(config.name))
    except Exception as error:  # whatever a config or a user's module raises
        cause = list(chain(error))[-1]
        text = " ".join(f"{type(cause).__name__}: {cause}".split())
        yield config.problem(("classname",), f"cannot be built: {text} {explain(cause) or ''}".rstrip())


def _storage(storage: Section) -> Iterator[Problem]:
    if str(storage.content.get("classname")).endswith(".ZarrLocalStorage"):
        text = (
            "ZarrLocalStorage writes to the local disk, which a Lambda does not have. Use tsdat.io.storage.FileSystem "
            "with handler: {classname: tsdat.io.handlers.ZarrHandler}."
        )
        yield storage.problem(("classname",), text)


def _placeholders(root: Path, document: Document) -> Iterator[Problem]:
    """Yield what tsdat's cookiecutter has not filled in."""
    for number, line in enumerate((root / document.name).read_text(encoding="utf-8-sig").splitlines(), 1):
        code = line.split(" #")[0]
        if not code.lstrip().startswith("#") and (found := _PLACEHOLDER.search(code)):
            text = f"the placeholder {found[0]} is not filled in. Write the value."
            yield Problem(document.name, number, found.start() + 1, text)


def _source(root: Path, name: str) -> str:
    """Return the Python code of a pipeline's folder, in which a hook may fill a variable."""
    folder = root / Path(*Path(name).parts[:2])
    files = sorted(folder.rglob("*.py"))
    return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in files)


def _datastream(root: Path, config: Document) -> str:
    found, _ = sections(root, config)
    attributes = found["dataset"].content.get("attrs") if "dataset" in found else None
    if not isinstance(attributes, Mapping):
        return ""
    get = attributes.get
    name = "-".join(str(get(part)) for part in ("dataset_name", "qualifier", "temporal") if get(part))
    return f"{get('location_id')}.{name}.{get('data_level')}"


def _twins(checked: list[Checked]) -> Iterator[Problem]:
    """Yield configs that store one datastream, and those whose patterns match the same names."""
    first: dict[str, str] = {}
    for one in checked:
        name = one.config.name
        if one.datastream and first.setdefault(one.datastream, name) != name:
            other_name = first[one.datastream]
            text = f"stores the datastream {one.datastream}, as {other_name} does. Their outputs replace each other."
            yield one.config.problem(("dataset",), text, pipeline=Path(name).parts[1])
    for number, one in enumerate(checked):
        for other in checked[number + 1 :]:
            if one.route and other.route and (shared := _shared_name(one.route, other.route)):
                text = (
                    f"the triggers also match names of {other.config.name}, such as {shared!r}: such a file fails. "
                    "Make one of them more specific."
                )
                yield one.config.problem(("triggers",), text, pipeline=Path(one.config.name).parts[1])


def _shared_name(one: routing.Route, other: routing.Route) -> str | None:
    """Return an example of a name that two routes match, of those that their patterns suggest."""
    for route in (one, other):
        for pattern in (pattern for group in route.patterns[:1] for pattern in group):
            name = example(pattern.pattern)
            if name and one.matches(name) and other.matches(name):
                return name
    return None
