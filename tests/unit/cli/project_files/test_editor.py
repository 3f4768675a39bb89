"""The files for VS Code start this checkout's programs, and nothing of the samples or of this checkout's own code."""

from __future__ import annotations

import json
from typing import Any

from runner.cli.project_files import editor
from runner.cli.project_files.shipped import LINK
from runner.settings import CHECKOUT

FILES: dict[str, Any] = {one.path: json.loads(one.text) for one in editor.files()}


def test_tasks_start_scripts_through_the_link():
    tasks = {one["label"]: one["command"] for one in FILES[".vscode/tasks.json"]["tasks"]}
    assert {"up", "test", "check", "up: Docker, to debug", "up: embedded, to debug"} == tasks.keys()
    for command in tasks.values():
        link, _, script = command.split()[0].partition("/")
        assert (link, (CHECKOUT / script).is_file()) == (LINK, True)


def test_the_debugger_finds_its_python_and_the_runner_despite_a_runner_py_of_the_project():
    described = FILES[".vscode/launch.json"]["configurations"]
    started = [one for one in described if one["request"] == "launch"]
    assert started
    for one in started:
        assert one["python"] == f"${{workspaceFolder}}/{LINK}/.venv/bin/python"
        assert one["pythonArgs"] == ["-P"]
    tasks = {one["label"] for one in FILES[".vscode/tasks.json"]["tasks"]}
    assert {one["preLaunchTask"] for one in described if "preLaunchTask" in one} <= tasks


def test_the_editor_uses_the_checkouts_python_and_does_not_search_it():
    settings = FILES[".vscode/settings.json"]
    assert settings["python.defaultInterpreterPath"] == f"${{workspaceFolder}}/{LINK}/.venv/bin/python"
    assert settings["search.exclude"] == {LINK: True}
    assert f"**/{LINK}/**" in settings["files.watcherExclude"]


def test_the_schemas_of_the_checkout_are_added():
    shipped = {path.name for path in (CHECKOUT / ".vscode/schemas").glob("*.json")}
    assert {path.rpartition("/")[2] for path in FILES if path.startswith(".vscode/schemas/")} == shipped
