"""A YAML file with the place of each key, and its syntax errors and duplicate keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from runner.diagnostics.problem import Problem

Keys = tuple[Any, ...]
"""The keys and list indexes that lead to a value."""


@dataclass
class Document:
    """A YAML file: its content, and where each key is."""

    name: str
    """Relative to the project."""
    content: Any = None
    marks: dict[Keys, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, keys: Keys) -> tuple[int, int]:
        """Return line and column of a key, or of the nearest key above it that is in the file."""
        while keys and keys not in self.marks:
            keys = keys[:-1]
        return self.marks.get(keys, (1, 1))

    def problem(self, keys: Keys, message: str, **more: Any) -> Problem:
        """Return a problem at a key."""
        return Problem(self.name, *self.place(keys), message, **{"key": ".".join(map(str, keys)), **more})


def read(root: Path, name: str) -> Document:
    """Read a file of the project; a file that is not YAML has one problem and no content."""
    document = Document(name)
    try:
        text = (root / name).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = (root / name).read_bytes()[: error.start].count(b"\n") + 1
        document.problems.append(
            Problem(name, line, 1, f"is not UTF-8 text (byte 0x{error.object[error.start]:02x}). Save it as UTF-8.")
        )
        return document
    except OSError as error:
        document.problems.append(Problem(name, 1, 1, f"cannot be read: {error.strerror}."))
        return document
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            document.problems += _walk(document, node, ())
        document.content = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(filter(None, (error.problem, error.context and f"({error.context})")))
        advice = " Indent with spaces, not with tabs." if "'\\t'" in what else ""
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        document.problems.append(Problem(name, line, column, f"is not valid YAML: {what}.{advice}"))
    except yaml.YAMLError as error:
        document.problems.append(Problem(name, 1, 1, f"is not valid YAML: {' '.join(str(error).split())}"))
    if document.content is None and not document.problems:
        document.problems.append(Problem(name, 1, 1, "is empty. Write the config, or remove the file."))
    elif not isinstance(document.content, Mapping) and not document.problems:
        kind = type(document.content).__name__
        document.problems.append(Problem(name, 1, 1, f"must have keys and values at the top, and has a {kind}."))
    return document


def _walk(document: Document, node: yaml.Node, keys: Keys) -> Iterator[Problem]:
    """Record the place of each key, and yield a problem for each key that a mapping has twice."""
    if isinstance(node, yaml.MappingNode):
        seen: set[Any] = set()
        for key_node, value in node.value:
            key = _plain(key_node)
            here = (*keys, key)
            if key in seen:
                line, column = _place(key_node)
                text = f"{key!r} is there twice, and the second silently replaces the first. Remove one."
                yield Problem(document.name, line, column, text, ".".join(map(str, here)))
            seen.add(key)
            document.marks[here] = _place(key_node)
            yield from _walk(document, value, here)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            document.marks[(*keys, index)] = _place(item)
            yield from _walk(document, item, (*keys, index))


def _plain(node: yaml.Node) -> Any:
    if not isinstance(node, yaml.ScalarNode):
        return str(node.value)
    try:
        return yaml.safe_load(node.value) if node.style is None else node.value
    except yaml.YAMLError:
        return node.value


def _place(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
