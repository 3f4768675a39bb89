"""Finds places in the user's code in the lines of an error, for links that open an editor there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

# The project in the Lambda's image.
_IN_IMAGE = "/var/task/"
_PLACE = re.compile(r"(?P<path>(?:/[^\s:]+/)?(?:pipelines|shared|utils)/[^\s:]+\.\w+)(?::(?P<line>\d+))?")


class Line(NamedTuple):
    """A line of text around a place: `before`, `place` and `after`; without one all is in `before`."""

    before: str
    place: str = ""
    address: str = ""
    after: str = ""


def linked(lines: list[str], root: Path, shown_root: Path) -> list[Line]:
    """Return lines with the first place in each that is a file of the project."""
    return [_line(text, root, shown_root) for text in lines]


def _line(text: str, root: Path, shown_root: Path) -> Line:
    for found in _PLACE.finditer(text):
        address = editor_address(root, found["path"], int(found["line"] or 1), shown_root)
        if address:
            return Line(text[: found.start()], found.group(), address, text[found.end() :])
    return Line(text)


def editor_address(root: Path, path: str, line: int, shown_root: Path) -> str | None:
    """Return the address that opens an editor at a line; None if it is not a file of the project.

    Args:
        root: the project as this process sees it.
        path: relative to the project, or as the Lambda sees it.
        line: counts from 1.
        shown_root: the project as the user's editor sees it.
    """
    file = (root / path.removeprefix(_IN_IMAGE)).resolve()
    if not file.is_relative_to(root.resolve()) or not file.is_file():
        return None
    return f"vscode://file{quote(str(shown_root / file.relative_to(root.resolve())))}:{line}"
