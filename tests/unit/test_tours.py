"""The guided tours for VS Code's CodeTour extension lead to lines, files and commands that exist."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

TOURS = sorted(Path(".tours").glob("*.tour"))
STEPS = [
    pytest.param(step, id=f"{path.stem}-{number}")
    for path in TOURS
    for number, step in enumerate(json.loads(path.read_text())["steps"], start=1)
]


def commands(text: str) -> list[str]:
    """What a text says to type: `in backticks`, or on a line of its own after >>, which CodeTour makes a link of."""
    return re.findall(r"`([^`]+)`", text) + re.findall(r"^>>\s+(.*)$", text, re.MULTILINE)


def test_the_tours_follow_one_another():
    tours = [json.loads(path.read_text()) for path in TOURS]
    assert [tour.get("isPrimary", False) for tour in tours] == [True, False, False]
    assert [tour.get("nextTour") for tour in tours] == [*(tour["title"] for tour in tours[1:]), None]


@pytest.mark.parametrize("path", TOURS, ids=str)
def test_a_tour_has_a_title_and_steps(path: Path):
    tour = json.loads(path.read_text())
    assert tour["title"].strip()
    assert 6 <= len(tour["steps"]) <= 9


@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_at_exactly_one_line(step: dict[str, Any]):
    assert step["description"].strip()
    text = Path(step["file"]).read_text()
    lines = text.splitlines()
    if "line" in step:
        assert 1 <= step["line"] <= len(lines)
        return
    pattern = step["pattern"]
    assert not re.search(r"\(\?|\\[AZ]|[*+?]\+", pattern), "what JavaScript reads in another way than Python"
    found = [number for number, line in enumerate(lines) if re.search(pattern, line)]
    assert len(found) == 1, f"{pattern!r} matches {len(found)} lines of {step['file']}"
    assert found != [0], "CodeTour takes the first line, its line 0, for no line at all"
    # CodeTour takes the first match in the whole text.
    first = re.search(pattern, text, re.MULTILINE)
    assert first is not None
    assert text.count("\n", 0, first.start()) == found[0]


@pytest.mark.parametrize("step", STEPS)
def test_named_commands_exist(step: dict[str, Any]):
    from runner.cli.app import app

    known = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    typed = "\n".join(commands(step["description"]))
    assert set(re.findall(r"^(?:scripts/)?runner ([a-z]+)", typed, re.MULTILINE)) <= known
    assert not [name for name in re.findall(r"\bscripts/([a-z-]+)", typed) if not Path("scripts", name).exists()]


@pytest.mark.parametrize("step", STEPS)
def test_named_files_exist(step: dict[str, Any]):
    typed = "\n".join(commands(step["description"]))
    named = re.findall(r"(?:^|\s)((?:data/samples|pipelines|runner|tests)/[\w./-]+\.\w+)", typed)
    linked = re.findall(r"\]\(\./([^)]+)\)", step["description"])
    assert not [name for name in named + linked if not Path(name).exists()]


@pytest.mark.parametrize("step", STEPS)
def test_brackets_are_links_to_files(step: dict[str, Any]):
    """CodeTour takes any other [text] for a reference to a tour or a step, also in code."""
    assert not re.findall(r"\[[^\]]+\](?!\(\./)", step["description"])
