"""The code blocks of README.md and docs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.stacks import ROOT

PAGES = [Path("README.md"), *sorted(Path("docs").rglob("*.md"))]


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """Its lines without comments."""
        lines = (re.sub(r"\s+#.*", "", line).strip() for line in self.text.splitlines())
        return [line for line in lines if line]


def blocks(*languages: str) -> list[Block]:
    """Return all blocks in these languages, in the order of the pages."""
    return [block for page in PAGES for block in _blocks(page) if block.language in languages]


def block_after(page: str, text: str) -> Block:
    """Return the first block of a page below a text."""
    content = (ROOT / page).read_text(encoding="utf-8")
    start = content[: content.index(text)].count("\n") + 1
    return next(block for block in _blocks(Path(page)) if block.line > start)


def _blocks(page: Path) -> Iterator[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    for found in re.finditer(r"^( *)```(\w+)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        body = re.sub(rf"^{found[1]}", "", found[3], flags=re.MULTILINE)
        yield Block(page, text[: found.start()].count("\n") + 1, found[2], body)
