"""Files that belong to a data file, such as the header beside a table, and are downloaded with it. Pure.

    companions:
      '(.*)\\.csv': ['\\1.hdr']

The names follow from the key of the data file, because the function may not list the source bucket.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Companions:
    """Patterns of data files' keys, each with templates of their companions' keys."""

    rules: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = ()

    def keys_for(self, key: str) -> list[str]:
        """Return the keys of a data file's companions. A pattern is tried on the key and on the file name."""
        folder = key[: key.rfind("/") + 1]
        keys = []
        for pattern, templates in self.rules:
            if found := pattern.fullmatch(key):
                keys += [found.expand(template) for template in templates]
            elif folder and (found := pattern.fullmatch(key.removeprefix(folder))):
                keys += [folder + found.expand(template) for template in templates]
        return keys

    def include(self, key: str) -> bool:
        """Return whether a key is that of a companion of some file."""
        names = (key, key.rpartition("/")[2])
        patterns = [_as_pattern(template) for _, templates in self.rules for template in templates]
        return any(pattern.fullmatch(name) for pattern in patterns for name in names)


def parse(content: Any, where: str, problems: list[str]) -> Iterator[tuple[re.Pattern[str], tuple[str, ...]]]:
    """Yield the rules of a `companions` section, and add a line to `problems` for each mistake."""
    if not isinstance(content, Mapping):
        problems.append(f"{where}: companions takes 'pattern: [names]' lines, not {content!r}.")
        return
    for text, names in content.items():
        names = [names] if isinstance(names, str) else names
        try:
            pattern = re.compile(str(text))
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise ValueError(f"{names!r} must be a list of names")
            for name in names:
                _require_groups(pattern, name)
        except (re.error, ValueError, IndexError) as error:
            problems.append(f"{where}: companions.{text}: {error}. Write it as in '(.*)\\.csv': ['\\1.hdr'].")
        else:
            yield pattern, tuple(names)


def _require_groups(pattern: re.Pattern[str], name: str) -> None:
    for number in re.findall(r"\\(\d+)", name):
        if int(number) > pattern.groups:
            raise ValueError(f"{name!r} refers to group {number}, which the pattern does not have")
    for group in re.findall(r"\\g<(\w+)>", name):
        if group not in pattern.groupindex and not (group.isdecimal() and int(group) <= pattern.groups):
            raise ValueError(f"{name!r} refers to group {group}, which the pattern does not have")


def _as_pattern(template: str) -> re.Pattern[str]:
    """Return a pattern of the keys that a template can make."""
    parts = re.split(r"\\(?:\d+|g<\w+>)", template)
    return re.compile(".*".join(re.escape(part) for part in parts))
