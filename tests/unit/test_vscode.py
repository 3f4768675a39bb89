"""Launch configurations and tasks in .vscode name what exists, and attach to the debugger's port."""

import json
import re
from pathlib import Path

import yaml

from runner.settings import Settings

LAUNCH = {one["name"]: one for one in json.loads(Path(".vscode/launch.json").read_text())["configurations"]}
TASKS = {one["label"]: one for one in json.loads(Path(".vscode/tasks.json").read_text())["tasks"]}
ATTACHING = [one for one in LAUNCH.values() if one["request"] == "attach"]
STARTING = [one for one in ATTACHING if "preLaunchTask" in one]


def test_debug_configurations_start_a_stack_and_wait_until_it_is_ready():
    assert [one["name"] for one in STARTING] == ["Debug: Lambda", "Debug: Lambda, embedded"]
    for one in STARTING:
        task = TASKS[one["preLaunchTask"]]
        assert "--debug" in task["command"]
        assert task["isBackground"]
        assert re.search(task["problemMatcher"]["background"]["endsPattern"], "ready in 5.8 s: 1 Lambdas")


def test_each_attaches_to_the_debugger_s_port():
    for one in ATTACHING:
        assert one["connect"] == {"host": "127.0.0.1", "port": Settings.from_env({}).debug_port}


def test_attach_configurations_are_the_same_without_the_start():
    for one in STARTING:
        name = one["name"].replace("Debug", "Attach")
        assert LAUNCH[name] == {key: value for key, value in one.items() if key != "preLaunchTask"} | {"name": name}


def test_paths_are_mapped_to_where_compose_mounts_them():
    (mapping,) = LAUNCH["Debug: Lambda"]["pathMappings"]
    assert mapping["localRoot"] == "${workspaceFolder}"
    mounts = yaml.safe_load(Path("compose.yaml").read_text())["services"]["lambda"]["volumes"]
    assert f"${{RUNNER_ROOT:-.}}/pipelines:{mapping['remoteRoot']}/pipelines:ro" in mounts
    (mapping,) = LAUNCH["Debug: Lambda, embedded"]["pathMappings"]
    data = Settings.from_env({}).data.relative_to(Path.cwd())
    assert mapping["remoteRoot"] == f"${{workspaceFolder}}/{data}/state/task-root"


def test_tasks_call_scripts_that_exist():
    assert {"up", "demo", "test", "lint"} <= TASKS.keys()
    assert all(Path(task["command"].split()[0]).is_file() for task in TASKS.values())


def test_the_documentation_names_every_configuration():
    text = Path("docs/debugging.md").read_text()
    assert not [name for name in LAUNCH if f"| {name} |" not in text]
