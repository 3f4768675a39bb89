"""The guided tours for VS Code's CodeTour extension lead to lines, files and commands that exist."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.unit.test_docs import command_names

TOURS = sorted(Path(".tours").glob("*.tour"))


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each step with its name."""
    for path in TOURS:
        for number, step in enumerate(json.loads(path.read_text())["steps"], start=1):
            yield f"{path.name}, step {number}", step


def typed(step: dict[str, Any]) -> str:
    """Return what a step says to type: `in backticks`, or on a line after >>, which CodeTour makes a link of."""
    text = step["description"]
    return "\n".join(re.findall(r"`([^`]+)`", text) + re.findall(r"^>>\s+(.*)$", text, re.MULTILINE))


def test_each_tour_leads_to_the_next():
    tours = [json.loads(path.read_text()) for path in TOURS]
    assert [tour.get("isPrimary", False) for tour in tours] == [True, False, False]
    assert [tour.get("nextTour") for tour in tours] == [*(tour["title"] for tour in tours[1:]), None]


def test_each_step_is_at_exactly_one_line():
    for name, step in steps():
        text = Path(step["file"]).read_text()
        lines = text.splitlines()
        if "line" in step:
            assert 1 <= step["line"] <= len(lines), name
            continue
        pattern = step["pattern"]
        assert not re.search(r"\(\?|\\[AZ]|[*+?]\+", pattern), f"{name}: JavaScript reads this pattern differently"
        found = [number for number, line in enumerate(lines) if re.search(pattern, line)]
        assert len(found) == 1, f"{name}: {pattern!r} matches {len(found)} lines of {step['file']}"
        assert found != [0], f"{name}: CodeTour treats the first line, its line 0, as none"
        # CodeTour searches the complete text.
        first = re.search(pattern, text, re.MULTILINE)
        assert first is not None, name
        assert text.count("\n", 0, first.start()) == found[0], name


def test_named_commands_and_files_exist():
    for name, step in steps():
        text = typed(step)
        assert set(re.findall(r"^(?:scripts/)?runner ([a-z]+)", text, re.MULTILINE)) <= command_names(), name
        named = [f"scripts/{script}" for script in re.findall(r"\bscripts/([a-z-]+)", text)]
        named += re.findall(r"(?:^|\s)((?:data/samples|pipelines|runner|tests)/[\w./-]+\.\w+)", text)
        named += re.findall(r"\]\(\./([^)]+)\)", step["description"])
        assert not [path for path in named if not Path(path).exists()], name


def test_brackets_are_links_to_files():
    """CodeTour reads any other [text] as a reference to a tour or a step, also in code."""
    for name, step in steps():
        assert not re.findall(r"\[[^\]]+\](?!\(\./)", step["description"]), name
