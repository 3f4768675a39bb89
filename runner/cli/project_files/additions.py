"""Compares the files that `runner init` adds with those that a project has, and adds what is missing.

Nothing that exists is replaced. Only .env and .gitignore, which are lists of lines, get the lines that they lack.
"""

from __future__ import annotations

import difflib
import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.cli.project_files.shipped import LINK, ProjectFile
from runner.errors import SettingsError
from runner.settings import CHECKOUT

_AGAIN = "Fix this and run `runner init` again; it keeps what is already there."
_IGNORED = ("/.env", f"/{LINK}", "/.aws-sam/")


@dataclass(frozen=True)
class Lines:
    """Lines to append to a file, which is created if it does not exist."""

    path: str
    purpose: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Link:
    """The link to this checkout."""

    path: str
    purpose: str


Addition = ProjectFile | Lines | Link


@dataclass(frozen=True)
class Plan:
    """What a project lacks, and which of its files differ from the shipped ones."""

    added: list[Addition]
    differing: list[ProjectFile]
    other_values: list[str]
    """Lines of .env that should read otherwise on this machine."""


def plan(project: Path, files: Iterable[ProjectFile], variables: Mapping[str, str]) -> Plan:
    """Compare a project with what `runner init` adds.

    Args:
        project: the project's folder.
        files: all files that it adds.
        variables: the lines of `.env`, by the name of the variable.
    """
    found = Plan([], [], [])
    for file in files:
        path = project / file.path
        if not os.path.lexists(path):
            found.added.append(file)
        elif difference(path, file):
            found.differing.append(file)
    if not os.path.lexists(project / LINK):
        found.added.append(Link(LINK, "a link to tsdat-local, for the files in .vscode"))
    known = _variables(project / ".env")
    missing = tuple(line for name, line in variables.items() if name not in known)
    found.other_values.extend(line for name, line in variables.items() if known.get(name, line) != line)
    if missing:
        found.added.append(Lines(".env", "the folders on this machine, for Docker Compose", missing))
    unignored = _not_ignored(project)
    if unignored:
        found.added.append(Lines(".gitignore", f"keeps out of Git: {', '.join(unignored)}", unignored))
    return found


def difference(path: Path, file: ProjectFile) -> str:
    """Return how a project's file would have to change to be the shipped one, as a unified diff; empty if it is.

    Ends of lines, which Git changes on some machines, do not count.
    """
    if not path.is_file():
        return f"{file.path} is not a file\n"
    own = path.read_text(encoding="utf-8", errors="replace")  # universal newlines
    lines = difflib.unified_diff(
        own.splitlines(keepends=True), file.text.splitlines(keepends=True), f"yours/{file.path}", f"shipped/{file.path}"
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def add(project: Path, addition: Addition) -> None:
    """Add it.

    Raises:
        SettingsError: it cannot be written, or it was created in the meantime.
    """
    path = project / addition.path
    for folder in path.parents:
        if os.path.lexists(folder) and not folder.is_dir():
            raise SettingsError(f"{path} cannot be added: {folder} is not a folder. {_AGAIN}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(addition, Link):
            path.symlink_to(CHECKOUT, target_is_directory=True)
        elif isinstance(addition, Lines):
            _append(path, addition.lines)
        else:
            with path.open("x", encoding="utf-8", newline="\n") as file:
                file.write(addition.text)
    except OSError as error:
        reason = error.strerror or error
        raise SettingsError(f"{path} cannot be added: {reason}. {_AGAIN}") from error


def _append(path: Path, lines: Iterable[str]) -> None:
    before = path.read_bytes() if path.exists() else b""
    separator = b"\n" if before and not before.endswith(b"\n") else b""
    with path.open("ab") as file:
        file.write(separator + "".join(f"{line}\n" for line in lines).encode())


def _variables(path: Path) -> dict[str, str]:
    """Return the lines of a .env file by the name of the variable."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    lines = [line.strip().removeprefix("export ").strip() for line in text.splitlines()]
    return {line.partition("=")[0].strip(): line for line in lines if "=" in line and not line.startswith("#")}


def _not_ignored(project: Path) -> tuple[str, ...]:
    """Return the lines that .gitignore needs. Outside a Git repository, only its own text counts."""
    own = project / ".gitignore"
    text = own.read_text(encoding="utf-8", errors="replace") if own.is_file() else ""
    present = {line.strip().strip("/") for line in text.splitlines()}
    candidates = [line for line in _IGNORED if line.strip("/") not in present]
    return tuple(line for line in candidates if not _is_ignored(project, line.lstrip("/")))


def _is_ignored(project: Path, path: str) -> bool:
    try:
        done = subprocess.run(
            ["git", "-C", str(project), "check-ignore", "--quiet", "--no-index", path], capture_output=True, check=False
        )
    except OSError:  # without Git
        return False
    return done.returncode == 0
