"""The problems of template.yaml, with the line of each property, and schedules whose config is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from runner.diagnostics.problem import Problem, did_you_mean
from runner.errors import EventError, TemplateError
from runner.settings import Settings
from runner.template import stack_template
from runner.template.stack_template import StackTemplate


def check(settings: Settings, configs: list[str]) -> tuple[StackTemplate | None, list[Problem]]:
    """Return the template, None if it cannot be used, and its problems."""
    file = settings.template_file
    try:
        template = stack_template.load_for(settings)
    except TemplateError as error:
        return None, [_problem(file, line) for line in str(error).splitlines()[:1]]
    problems = [_problem(file, text, severity="warning") for text in template.notices]
    return template, [*problems, *_schedules(template, file, configs)]


def _problem(file: Path, text: str, **more: str) -> Problem:
    """Return a problem at the property that an error text begins with: `template.yaml: Resources.X.Properties.Y: …`."""
    found = re.match(r"[^:]*template\.yaml: ((?:Resources|Parameters|Conditions)[^:\s]*): (.*)", text, re.DOTALL)
    location, message = (found[1], found[2]) if found else ("", text)
    line, column = _place(file, re.findall(r"[^.\[\]]+", location))
    return Problem(file.name, line, column, " ".join(message.split()), location, **more)  # type: ignore[arg-type]


def _place(file: Path, keys: list[str]) -> tuple[int, int]:
    try:
        node = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, yaml.YAMLError):
        return 1, 1
    place = (1, 1)
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            pair = next(((name, value) for name, value in node.value if name.value == key), None)
        elif isinstance(node, yaml.SequenceNode) and key.isdecimal() and int(key) < len(node.value):
            pair = (node.value[int(key)], node.value[int(key)])
        else:
            pair = None
        if pair is None:
            return place
        place = pair[0].start_mark.line + 1, pair[0].start_mark.column + 1
        node = pair[1]
    return place


def _schedules(template: StackTemplate, file: Path, configs: list[str]) -> Iterator[Problem]:
    from datetime import UTC, datetime

    for schedule in template.schedules:
        try:
            config = schedule.requested_run(datetime(2026, 1, 1, tzinfo=UTC)).config
        except EventError:
            continue  # reported when the template is loaded
        if config not in configs:
            lines = file.read_text(encoding="utf-8").splitlines()
            line = next((number for number, text in enumerate(lines, 1) if config in text), 1)
            text = f"the schedule {schedule.name!r} runs {config}, which does not exist.{did_you_mean(config, configs)}"
            yield Problem(file.name, line, 1, text)
