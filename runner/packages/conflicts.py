"""Says in a few lines why uv could not resolve a project's requirements: which line, and what contradicts it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from runner.packages.requirements import Line


@dataclass(frozen=True)
class Pin:
    """A pinned package: its version, or several for different versions of Python, and the packages that need it."""

    versions: list[str]
    askers: list[str]


_OFFLINE = ("dns error", "Failed to fetch", "Connection refused", "Could not connect", "tcp connect", "timed out")


def explain(uv_error: str, lines: Sequence[Line], pinned: Mapping[str, Pin]) -> str:
    """Return the text of the error."""
    text = " ".join(uv_error.split())
    if any(word in text for word in _OFFLINE):
        return (
            "The packages in requirements.txt cannot be resolved without the package index, and the lock is not up to "
            "date with them. Connect to the network once, and run the same command again. See docs/troubleshooting.md "
            "for a proxy or a mirror."
        )
    named = [line for line in lines if re.search(rf"(?<![\w-]){re.escape(line.name)}(?![\w-])", _canonical(text))]
    problems = [f"{line.place}: {line.requirement}{_contradiction(line, pinned)}" for line in named]
    return "\n".join(
        [
            "The packages in requirements.txt cannot be installed beside those that tsdat-local pins:",
            *(f"  {problem}" for problem in problems),
            f"  {reason(text)}",
            "Change the line, for example to a version that allows the pinned one, and run the same command again.",
        ]
    )


def _canonical(text: str) -> str:
    return re.sub(r"[\w.-]+", lambda word: canonicalize_name(word[0]), text)


def _contradiction(line: Line, pinned: Mapping[str, Pin]) -> str:
    pin, wanted = pinned.get(line.name), line.requirement.specifier
    if pin is None or any(wanted.contains(version, prereleases=True) for version in pin.versions):
        return ""
    needed = f" and {', '.join(pin.askers[:4])} need" if pin.askers else ""
    return f" contradicts {line.name}=={' or '.join(pin.versions)}, which tsdat-local pins{needed}"


def reason(uv_error: str) -> str:
    """Return uv's own explanation in one line, without its decoration."""
    text = re.sub(r"[×╰─▶│]+ ?", "", " ".join(uv_error.split()))
    text = re.sub(r"No solution found when resolving dependencies.*?cause: |error: |-r \S+|hint: .*", "", text)
    return text.replace(", we can conclude that your requirements are unsatisfiable", "").strip()
