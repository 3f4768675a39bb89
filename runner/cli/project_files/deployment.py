"""What SAM deploys from a project: template.yaml, samconfig.toml and the Dockerfile."""

from __future__ import annotations

import json
import re
from pathlib import Path

from runner.cli.project_files.shipped import ProjectFile, name_of, shipped
from runner.settings import CHECKOUT
from runner.template import cfn_yaml

_SHIPPED_NAME = "tsdat-pipeline-"
_ONLY_FOR_SCHEDULES = (
    "ScheduleDeadLetterQueue", "ScheduleDeadLetterQueuePolicy", "ScheduleRole", "ScheduleState",
    "UndeliveredSchedulesAlarm",
)  # fmt: skip
_DOCKERFILE_NOTE = """\
# `runner up --docker`, `docker compose` and scripts/deploy build this file in data/state/image, where `runner` puts the
# project beside what ships of tsdat-local. `docker build .` in this folder has no such files.
"""


def files(project: Path) -> list[ProjectFile]:
    """Return the files, with names derived from the project's."""
    names = {_SHIPPED_NAME: f"{name_of(project)}-"}
    return [
        ProjectFile("template.yaml", "what AWS creates, and what the local stack imitates", template(project)),
        ProjectFile("samconfig.toml", "names and options of each deployment", shipped("samconfig.toml", names)),
        ProjectFile("Dockerfile", "the image of the Lambda function", _DOCKERFILE_NOTE + shipped("Dockerfile")),
    ]


def template(project: Path) -> str:
    """Return the shipped template, without schedules of pipelines that the project does not have."""
    text = shipped("template.yaml", {_SHIPPED_NAME: f"{name_of(project)}-"})
    resources = cfn_yaml.load(CHECKOUT / "template.yaml")["Resources"]
    schedules = {name: one for name, one in resources.items() if one["Type"] == "AWS::Scheduler::Schedule"}
    foreign = [name for name, one in schedules.items() if not (project / _config(one)).is_file()]
    for name in foreign:
        text = without(text, name)
    if len(foreign) == len(schedules):
        for name in _ONLY_FOR_SCHEDULES:
            text = without(text, name)
    return text


def _config(schedule: dict[str, dict[str, dict[str, str]]]) -> str:
    return str(json.loads(schedule["Properties"]["Target"]["Input"])["config"])


def without(text: str, name: str) -> str:
    """Return a template without the entry of this name, and without the comment above it."""
    return re.sub(rf"(?m)^(?:  #.*\n)*  {name}:\n(?:(?:    .*)?\n)*(?=\S|  \S|\Z)", "", text, count=1)
