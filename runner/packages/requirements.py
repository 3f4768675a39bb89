"""Reads a project's requirements.txt, and refuses what a deployment could not reproduce."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from runner.errors import PackagesError

NAME = "requirements.txt"
_OPTION_ADVICE = {
    ("-e", "--editable"): "Put its code into shared/ or utils/, which ship with the pipelines.",
    ("-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--no-index"):
        "Remove the line, and set an index with PIP_INDEX_URL and UV_INDEX_URL (docs/troubleshooting.md).",
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One requirement, and where it is written."""

    file: Path
    number: int
    requirement: Requirement

    @property
    def name(self) -> str:
        """The name in its canonical spelling: lower case, with hyphens."""
        return canonicalize_name(self.requirement.name)

    @property
    def place(self) -> str:
        """The file and the line, for errors."""
        return f"{self.file.name}:{self.number}"


def read(file: Path) -> list[Line]:
    """Return the requirements of a file and of those that it includes with -r; none if there is no file.

    Raises:
        PackagesError: one cannot be read, or cannot be reproduced from a package index.
    """
    return list(_read(file, set())) if file.exists() else []


def _read(file: Path, visited: set[Path]) -> Iterator[Line]:
    if file in visited:
        return
    visited.add(file)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PackagesError(f"{file} cannot be read: {error}. Save it as UTF-8 text.") from None
    for number, line in _logical_lines(text):
        place = f"{file.name}:{number}"
        if included := re.fullmatch(r"(?:-r|--requirement)[ =]*(.+)", line):
            other = file.parent / included[1]
            if not other.exists():
                raise PackagesError(f"{place}: {line}: there is no file {other}. Correct the name or remove the line.")
            yield from _read(other, visited)
        else:
            yield Line(file, number, _requirement(line, place))


def parse(text: str, place: str) -> Line:
    """Return one requirement that is not in a file.

    Args:
        place: where it is from, for the error.

    Raises:
        PackagesError: it is none, or cannot be reproduced.
    """
    return Line(Path(place), 0, _requirement(text.strip(), place))


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line without its comment, and its number; a backslash continues a line."""
    pending, first = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        first = first or number
        if line.endswith("\\"):
            pending += line[:-1]
            continue
        if joined := re.sub(r"\s--hash=\S+", "", pending + line).strip():
            yield first, joined
        pending, first = "", 0


def _requirement(line: str, place: str) -> Requirement:
    if line.startswith("-"):
        advice = next((text for names, text in _OPTION_ADVICE.items() if re.split("[ =]", line)[0] in names), None)
        raise PackagesError(f"{place}: {line}: this option is not supported. {advice or 'Remove the line.'}")
    url = re.search(r"(git\+|hg\+|svn\+|bzr\+|https?://|file:)\S*", line)
    if url or re.match(r"[./~]|[A-Za-z]:\\", line) or line.endswith((".whl", ".tar.gz", ".zip")):
        what = "a repository" if url and "+" in url[1] else "a URL" if url else "a local file"
        raise PackagesError(
            f"{place}: {line}: {what} has no version that a lock could pin. Name a release on PyPI, or put the code "
            "into shared/ or utils/, which ship with the pipelines."
        )
    try:
        return Requirement(line)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise PackagesError(f"{place}: {line!r} is not a requirement: {reason}. Write it as in: cmocean>=3.0") from None
