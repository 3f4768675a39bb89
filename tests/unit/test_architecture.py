"""The content of the image, the imports of commands, and no use of a shell.

Which package may import which is import-linter's contract in pyproject.toml; scripts/lint checks it.
"""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runner.services import processes
from runner.stack import lambda_python, task_root
from runner.template import runtime


def copied_by_the_dockerfile() -> list[tuple[list[str], str]]:
    """Return sources and target of each line of the Dockerfile that copies the runner into the Lambda's image."""
    stage = Path("Dockerfile").read_text().split("AS lambda-code")[1].split("\nFROM ")[0]
    lines = [line.split()[1:] for line in stage.splitlines() if line.startswith("COPY runner")]
    return [(line[:-1], line[-1]) for line in lines]


def test_the_handler_needs_only_what_the_image_contains(tmp_path: Path):
    for sources, target in copied_by_the_dockerfile():
        for source in sources:
            if Path(source).is_dir():
                shutil.copytree(source, tmp_path / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                (tmp_path / target).mkdir(exist_ok=True)
                shutil.copy(source, tmp_path / target)
    assert sorted(path.name for path in (tmp_path / "runner").iterdir()) == sorted(task_root.SHIPPED)
    program = (
        "import importlib, pkgutil, runner.function.handler, runner\n"
        "for module in pkgutil.walk_packages(runner.__path__, 'runner.'): importlib.import_module(module.name)\n"
        "print(runner.__file__)"
    )
    (tmp_path / "pipelines").mkdir()
    environment = {"PYTHONPATH": str(tmp_path), "LAMBDA_TASK_ROOT": str(tmp_path), "AWS_DEFAULT_REGION": "us-west-2"}
    command = [sys.executable, "-P", "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(tmp_path / "runner/__init__.py")


def test_the_runtime_is_that_of_the_base_image():
    assert f"/lambda/python:{runtime.PYTHON.removeprefix('python')}\n" in Path("Dockerfile").read_text()
    assert f"for candidate in {runtime.PYTHON} " in Path("scripts/setup").read_text()


def test_the_embedded_lambda_has_the_packages_that_ship():
    locked = re.findall(r"(?m)^([\w.-]+)==([\w.]+)(?: ;.*)? \\$", Path("requirements/lambda.txt").read_text())
    folder = next(Path(".venv-lambda/lib").glob("python3.*/site-packages"))
    installed = {
        tuple(path.name.removesuffix(".dist-info").lower().replace("_", "-").rsplit("-", 1))
        for path in folder.glob("*.dist-info")
    }
    assert {name for name, _ in installed} <= {name.lower().replace("_", "-") for name, _ in locked}
    assert ("tsdat", "0.10.0") in installed
    assert "pytest" not in lambda_python.modules()
    assert {"tsdat", "xarray", "boto3"} <= lambda_python.modules()


def test_help_imports_nothing_heavy():
    program = (
        "import sys; from runner.cli.app import app\n"
        "for arguments in [['--help'], ['up', '--help'], ['status', '--help'], ['retry', '--help']]:\n"
        "    try: app(arguments)\n"
        "    except SystemExit: pass\n"
        "print(sorted({'tsdat', 'xarray', 'matplotlib', 'boto3', 'botocore', 'pandas', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", processes.NAMES)
def test_the_processes_of_a_stack_do_not_import_the_command_line(name: str):
    program = (
        "import runpy, sys\n"
        f"sys.argv = ['runner', {name!r}, '--help']\n"
        "try: runpy.run_module('runner', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "import runner.services.entrypoints, runner.services.event_source_mapping.poller\n"
        "print(sorted({'rich', 'typer', 'runner.cli'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


SHELLS = {"system", "popen", "getoutput", "getstatusoutput", "create_subprocess_shell"}
# The first words of a command that starts a shell; commands are lists.
BY_NAME = re.compile(r"(/bin/|/usr/bin/)?(sh|bash|dash|zsh)|-l?c")


def test_nothing_goes_through_a_shell():
    """No file name can become a command."""
    sources = [
        path for folder in ("runner", "pipelines", "shared", "utils", "docker") for path in Path(folder).rglob("*.py")
    ]
    nodes = [(path, node) for path in sources for node in ast.walk(ast.parse(path.read_text()))]
    calls = [(path, node) for path, node in nodes if isinstance(node, ast.Call)]
    assert len(calls) > 1000
    for path, call in calls:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        assert name not in SHELLS, f"{path}:{call.lineno} calls a shell"
        assert "shell" not in {keyword.arg for keyword in call.keywords}, f"{path}:{call.lineno} passes shell="
    for path, command in ((path, node) for path, node in nodes if isinstance(node, ast.List | ast.Tuple)):
        words = [item.value for item in command.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)]
        assert not [word for word in words if BY_NAME.fullmatch(word)], f"{path}:{command.lineno} names a shell"
