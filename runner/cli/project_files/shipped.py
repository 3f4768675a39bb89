"""A file for a project, and how its text is derived from a file of this checkout."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.errors import SettingsError
from runner.settings import CHECKOUT

LINK = ".tsdat-local"
"""A link in the project to this checkout, for editors. Git ignores it."""
_NAMES = {
    "samconfig.toml": r'(?m)^stack_name = "([a-z][a-z0-9-]{0,18})-stack"$',
    "compose.yaml": r"(?m)^name: \$\{STACK_NAME:-([a-z][a-z0-9-]{0,18})\}$",
}


@dataclass(frozen=True)
class ProjectFile:
    """A file that `runner init` adds."""

    path: str
    """Relative to the project."""
    purpose: str
    text: str


def shipped(path: str, changes: Mapping[str, str] | None = None) -> str:
    """Return the text of a file of this checkout, changed for a project.

    Args:
        path: relative to the checkout.
        changes: pieces of the text, and what replaces them.

    Raises:
        SettingsError: the file no longer has a piece.
    """
    text = (CHECKOUT / path).read_text(encoding="utf-8")
    for old, new in (changes or {}).items():
        if old not in text:
            raise SettingsError(f"{CHECKOUT / path} has no {old!r}, which `runner init` replaces. Restore the file.")
        text = text.replace(old, new)
    return text


def name_of(project: Path) -> str:
    """Return a name for buckets, stacks and containers: a letter, then letters, digits and hyphens.

    It is the one in the project's samconfig.toml or compose.yaml, because a clone's folder may have another name; else
    it is made from the folder's name. 19 characters leave room for what the template and samconfig.toml append.
    """
    for path, pattern in _NAMES.items():
        file = project / path
        found = re.search(pattern, file.read_text(encoding="utf-8", errors="replace")) if file.is_file() else None
        if found:
            return found[1]
    name = re.sub(r"[^a-z0-9]+", "-", project.name.lower()).strip("-") or "project"
    return (name if name[0].isalpha() else f"p-{name}")[:19].rstrip("-")
