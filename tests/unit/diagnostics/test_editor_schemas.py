"""The schemas in .vscode are those of the installed tsdat, and its problem matcher reads what `runner check` prints."""

import json
import re
from pathlib import Path

from runner.diagnostics.editor_schemas import write
from runner.diagnostics.problem import Problem


def test_the_schemas_are_current(tmp_path: Path):
    write(tmp_path)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_text() for path in Path(".vscode/schemas").iterdir()}
    assert kept == made, "run scripts/make-schemas"


def test_every_schema_is_assigned_to_files():
    assigned = json.loads(Path(".vscode/settings.json").read_text())["yaml.schemas"]
    assert {Path(name).name for name in assigned} == {path.name for path in Path(".vscode/schemas").iterdir()}


def test_the_problem_matcher_reads_a_problem():
    tasks = json.loads(Path(".vscode/tasks.json").read_text())["tasks"]
    pattern = next(task for task in tasks if task["label"] == "check")["problemMatcher"]["pattern"]
    found = re.match(
        pattern["regexp"], str(Problem("pipelines/a b/config/x.yaml", 3, 5, "is wrong: x", severity="warning"))
    )
    assert found
    fields = [found[pattern[name]] for name in ("file", "line", "column", "severity", "message")]
    assert fields == ["pipelines/a b/config/x.yaml", "3", "5", "warning", "is wrong: x"]
