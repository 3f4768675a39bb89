"""What VS Code reads in a project: tasks, debug configurations, settings, and JSON schemas of tsdat's configs."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

from runner.cli.project_files.shipped import LINK, ProjectFile, shipped
from runner.settings import CHECKOUT

_PYTHON = {"${workspaceFolder}/.venv/bin/python": f"${{workspaceFolder}}/{LINK}/.venv/bin/python"}
_SCHEMAS = PurePosixPath(".vscode/schemas")
# They concern the shipped samples, or this checkout's own code.
_OMITTED_TASKS, _OMITTED_EXTENSIONS = {"demo", "lint"}, {"vsls-contrib.codetour"}


def files() -> list[ProjectFile]:
    """Return the files."""
    described = [
        ProjectFile(".vscode/launch.json", "debug configurations: the Lambda function, a file, a test", _launch()),
        ProjectFile(".vscode/tasks.json", "tasks: start the stack, run the tests", _tasks()),
        ProjectFile(".vscode/settings.json", "the Python environment, and folders not to watch", _settings()),
        ProjectFile(".vscode/extensions.json", "extensions for Python, YAML and Docker", _extensions()),
    ]
    schemas = sorted((CHECKOUT / _SCHEMAS).glob("*.json"))
    purpose = "a schema, with which the editor checks and completes configs"
    return described + [
        ProjectFile(f"{_SCHEMAS}/{path.name}", purpose, path.read_text(encoding="utf-8")) for path in schemas
    ]


def _launch() -> str:
    described = json.loads(shipped(".vscode/launch.json", _PYTHON))
    for one in described["configurations"]:
        if one["request"] == "launch":
            one["pythonArgs"] = ["-P"]  # tsdat's template has a runner.py, which would hide the runner's package
    return _json(described)


def _tasks() -> str:
    described = json.loads(shipped(".vscode/tasks.json", {'"scripts/': f'"{LINK}/scripts/'}))
    described["tasks"] = [one for one in described["tasks"] if one["label"] not in _OMITTED_TASKS]
    return _json(described)


def _settings() -> str:
    described = json.loads(shipped(".vscode/settings.json", _PYTHON))
    described["search.exclude"] = {LINK: True}
    described["files.watcherExclude"][f"**/{LINK}/**"] = True
    return _json(described)


def _extensions() -> str:
    described = json.loads(shipped(".vscode/extensions.json"))
    described["recommendations"] = [one for one in described["recommendations"] if one not in _OMITTED_EXTENSIONS]
    return _json(described)


def _json(value: Any) -> str:
    return json.dumps(value, indent=4) + "\n"
