"""The imports of runner go down only, and what ships to AWS stays small. See docs/decisions/."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

RUNNER = Path("runner")
STAGES = {"watcher", "poller", "handler", "provision", "mirror", "scheduler"}
# What each layer may reach, lowest first; a module may import any module of a lower layer.
LAYERS = [
    {
        "errors",
        "record",
        "datasets",
        "phases",
        "progress",
        "settling",
        "database",
        "terminal",
        "modules",
        "limits",
        "keys",
        "tracebacks",
        "cron",
        "scheduled",
        "listing",
        "lambda_start",
    },
    {
        "settings",
        "template",
        "intrinsics",
        "parts",
        "triggers",
        "events",
        "schedules",
        "rie",
        "supervisor",
        "sandbox",
        "archive_limits",
        "redaction",
        "reasons",
    },
    {"aws", "options", "routing", "history", "ledger", "seen", "inbox", "presence", "debugging", "archives", "compose"},
    {
        "storage",
        "source",
        "verdicts",
        "localstack",
        "localstack_main",
        "lambdas",
        "bootstrap",
        "messages",
        "eventbridge",
        "emptying",
        "account",
        "uploads",
        "outputs",
    },
    {"pipeline", "report", "worker"},
    STAGES,
    {"queues", "balance", "buckets"},
    {"census", "submit", "enqueue", "embedded", "docker", "ingest", "review", "sam"},
    {"books"},
    {"reconcile", "failures", "redrive"},
    {"services", "session", "checks", "backends", "deployment", "trigger", "replay", "backfill"},
    {"processes", "care", "cli_schedules", "cli_events"},
    {"cli", "__main__", "testing"},
]
SHIPPED = {
    "handler", "aws", "pipeline", "storage", "source", "sandbox", "phases", "record", "routing", "events", "errors",
    "modules", "limits", "archives", "archive_limits", "keys", "redaction", "scheduled", "listing",
}  # fmt: skip
HEAVY = {
    "boto3": {"aws", "account", "uploads"},
    "tsdat": {"pipeline", "storage", "ingest"},
    "http": {"rie", "localstack"},
}


def imports(name: str) -> set[str]:
    """All modules that a module names, absolute, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((RUNNER / f"{name}.py").read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


MODULES = {path.stem for path in RUNNER.glob("*.py")} - {"__init__"}
OURS = {name: {i.split(".")[1] for i in imports(name) if i.startswith("runner.")} & MODULES for name in MODULES}


def test_every_module_has_a_layer():
    assert set().union(*LAYERS) >= MODULES


def test_imports_go_down_only():
    level = {name: number for number, layer in enumerate(LAYERS) for name in layer}
    broken = [
        f"{name} imports {other}, which is not below it"
        for name in sorted(MODULES)
        for other in sorted(OURS[name])
        if level[other] > level[name] or (level[other] == level[name] and name in STAGES)
    ]
    assert not broken


def test_nothing_imports_in_a_circle():
    def reach(name: str, seen: frozenset[str] = frozenset()) -> None:
        assert name not in seen, f"{name} is imported in a circle: {sorted(seen)}"
        for other in OURS[name]:
            reach(other, seen | {name})

    for name in MODULES:
        reach(name)


def test_the_handler_reaches_only_what_ships():
    todo, reached = ["handler"], set()
    while todo:
        name = todo.pop()
        reached.add(name)
        todo += OURS[name] - reached
    assert reached == SHIPPED


def test_the_image_holds_what_the_handler_reaches():
    copied = set(re.findall(r"\brunner/(\w+)\.py", Path("Dockerfile").read_text()))
    assert copied == SHIPPED | {"__init__"}


@pytest.mark.parametrize(("package", "allowed"), HEAVY.items())
def test_outside_systems_have_one_place_each(package: str, allowed: set[str]):
    users = {name for name in MODULES if any(i.split(".")[0] == package for i in imports(name))}
    assert users <= allowed


@pytest.mark.parametrize("arguments", [["--help"], ["up", "--help"], ["status", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]):
    program = (
        "import sys; from runner.cli import app\n"
        f"try: app({arguments!r})\n"
        "except SystemExit: pass\n"
        "print(sorted({'tsdat', 'xarray', 'matplotlib', 'boto3', 'botocore', 'pandas', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


SHELLS = {"system", "popen", "getoutput", "getstatusoutput", "create_subprocess_shell"}
# What a command would begin with that starts one by name; commands are lists, here or in a variable.
BY_NAME = re.compile(r"(/bin/|/usr/bin/)?(sh|bash|dash|zsh)|-l?c")


def test_nothing_goes_through_a_shell():
    """So no file name can ever be a command."""
    sources = [
        path for folder in ("runner", "pipelines", "shared", "utils", "docker") for path in Path(folder).rglob("*.py")
    ]
    calls = [
        (path, node) for path in sources for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
    ]
    assert len(calls) > 1000
    for path, call in calls:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        assert name not in SHELLS, f"{path}:{call.lineno} calls a shell"
        assert "shell" not in {keyword.arg for keyword in call.keywords}, f"{path}:{call.lineno} passes shell="
    commands = [
        (path, node)
        for path in sources
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.List | ast.Tuple)
    ]
    for path, command in commands:
        words = [item.value for item in command.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)]
        assert not [word for word in words if BY_NAME.fullmatch(word)], f"{path}:{command.lineno} names a shell"


def test_files_stay_small():
    long = {path.name: n for path in RUNNER.glob("*.py") if (n := len(path.read_text().splitlines())) > 225}
    assert not long
