"""The parts of a pipeline's config: the retriever, dataset, quality and storage, with the files that they name."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from runner.diagnostics.document import Document, Keys, read
from runner.diagnostics.problem import Problem, did_you_mean

SECTIONS = ("retriever", "dataset", "quality", "storage")


@dataclass
class Section:
    """One part of a config after its overrides, and where its values are written."""

    content: Mapping[str, Any]
    document: Document
    base: Keys = ()
    """The keys in the document below which the content is."""
    overrides: dict[Keys, tuple[Document, Keys]] = field(default_factory=dict)
    """Values that the pipeline's config overrides, and where it does."""

    def problem(self, keys: Keys, message: str, **more: Any) -> Problem:
        """Return a problem at a key of the content."""
        for pointer, (document, where) in self.overrides.items():
            if keys[: len(pointer)] == pointer:
                return document.problem(where, message, **more)
        return self.document.problem((*self.base, *keys), message, **more)


def sections(root: Path, config: Document) -> tuple[dict[str, Section], list[Problem]]:
    """Return the sections of a pipeline's config that can be read, and the problems of those that cannot."""
    found: dict[str, Section] = {}
    problems: list[Problem] = []
    for name in SECTIONS:
        content = config.content.get(name)
        if content is None:
            text = f"has no {name!r}, which tsdat requires.{did_you_mean(name, set(config.content) - set(SECTIONS))}"
            problems.append(config.problem((name,), text))
        elif not isinstance(content, Mapping):
            problems.append(config.problem((name,), f"{name} must have keys, such as `path`, and is {content!r}."))
        elif "path" not in content:
            found[name] = Section(content, config, (name,))
        else:
            section = _linked(root, config, name, content, problems)
            if section:
                found[name] = section
    return found, problems


def _linked(
    root: Path, config: Document, name: str, content: Mapping[str, Any], problems: list[Problem]
) -> Section | None:
    path = str(content["path"])
    base = PurePosixPath(config.name).parent if path.startswith(("./", "../")) else PurePosixPath()
    target = (root / base / path).resolve()
    if not target.is_file():
        beside = sorted(one.name for one in target.parent.glob("*.y*ml")) if target.parent.is_dir() else []
        text = f"there is no file {path}.{did_you_mean(target.name, beside)} Paths begin at the project's folder."
        problems.append(config.problem((name, "path"), text))
        return None
    relative = target.relative_to(root.resolve()).as_posix() if target.is_relative_to(root.resolve()) else str(target)
    document = read(root, relative)
    problems += document.problems
    if not isinstance(document.content, Mapping):
        return None
    section = Section(copy.deepcopy(dict(document.content)), document)
    problems += _apply(config, name, content.get("overrides") or {}, section)
    return section


def _apply(config: Document, name: str, overrides: Any, section: Section) -> Iterator[Problem]:
    from jsonpointer import JsonPointer, JsonPointerException

    where: Keys = (name, "overrides")
    if not isinstance(overrides, Mapping):
        yield config.problem(where, f"overrides needs JSON pointers as keys, such as /attrs/title, not {overrides!r}.")
        return
    for pointer, value in overrides.items():
        try:
            parsed = JsonPointer(str(pointer))
            parsed.set(section.content, value)
        except (JsonPointerException, TypeError, KeyError) as error:
            known = section.content.get(str(pointer).strip("/").split("/")[0])
            hint = did_you_mean(str(pointer).split("/")[-1], known) if isinstance(known, Mapping) else ""
            text = f"{pointer!r} leads to nothing in {section.document.name}: {error}.{hint}"
            yield config.problem((*where, pointer), text)
        else:
            keys = tuple(int(part) if part.isdecimal() else part for part in parsed.parts)
            section.overrides[keys] = (config, (*where, pointer))
