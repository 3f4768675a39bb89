"""docs/emulators.md and the contract suite name the same differences from AWS."""

from __future__ import annotations

import re
from pathlib import Path

SUITE = [path.read_text() for path in sorted(Path("tests/contract").glob("test_*.py"))]


def test_every_difference_is_documented_with_the_test_that_shows_it():
    rows = re.findall(r"^\| ([^|]+?) \|.*\| `(test_\w+)` \|$", Path("docs/emulators.md").read_text(), re.MULTILINE)
    documented = {(entry, test) for entry, test in rows}
    shown = set()
    for text in SUITE:
        for function in re.split(r"^(?=def )", text, flags=re.MULTILINE):
            name = re.match(r"def (\w+)", function)
            shown |= {(entry, name[1]) for entry in re.findall(r'differs\("\w+", "([^"]+)"\)', function) if name}
    assert documented == shown
