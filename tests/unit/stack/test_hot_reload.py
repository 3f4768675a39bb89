"""Edits of a project's files, with Python's real import system; tests/e2e/test_hot_reload.py has them in a stack."""

import importlib
import json
import linecache
import os
import py_compile
import shutil
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.stack.hot_reload import PACKAGES, SourceFinder, Watch


class Project:
    """A project that is watched and imported as in a Lambda."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.watch, self.finder = Watch(root), SourceFinder(root)

    def write(self, name: str, text: str) -> Path:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def reload(self) -> None:
        assert self.watch.changed()
        self.finder.forget_modules()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project in a process that has not imported another one."""
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in PACKAGES}
    for name in before:
        del sys.modules[name]
    made = Project(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [made.finder, *sys.meta_path])
    here = [entry for entry in sys.path if Path(entry).resolve() == Path.cwd()]
    monkeypatch.setattr(sys, "path", [str(tmp_path), *(entry for entry in sys.path if entry not in here)])
    yield made
    made.finder.forget_modules()
    sys.modules.update(before)


def test_without_an_edit_nothing_changes_and_nothing_is_written(project: Project, tmp_path: Path):
    project.write("pipelines/a/pipeline.py", "X = 1")
    assert project.watch.changed()
    assert importlib.import_module("pipelines.a.pipeline").X == 1
    assert not project.watch.changed()
    assert not list(tmp_path.rglob("*.pyc"))


def test_an_edit_of_the_same_size_within_the_same_second_counts(project: Project):
    path = project.write("pipelines/__init__.py", "X = 1")
    os.utime(path, ns=(10**18, 10**18))
    project.reload()
    first = importlib.import_module("pipelines")
    path.write_text("X = 2")
    os.utime(path, ns=(10**18, 10**18 + 1000))
    project.reload()
    assert importlib.import_module("pipelines").X == 2
    assert first.X == 1
    assert not project.watch.changed()


def test_stale_bytecode_is_never_used(project: Project):
    path = project.write("shared/a.py", "X = 1")
    py_compile.compile(str(path))
    status = path.stat()
    path.write_text("X = 2")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert importlib.import_module("shared.a").X == 2


def test_a_helper_is_reloaded_with_its_importers(project: Project):
    helper = project.write("utils/units.py", "def scale(): return 1")
    project.write("pipelines/a/pipeline.py", "from utils.units import scale\nX = scale()")
    project.reload()
    importlib.import_module("pipelines.a.pipeline")
    helper.write_text("def scale(): return 1000")
    project.reload()
    assert importlib.import_module("pipelines.a.pipeline").X == 1000


def test_a_syntax_error_names_its_file_and_the_next_edit_fixes_it(project: Project):
    path = project.write("pipelines/a/pipeline.py", "X = 1\n")
    project.reload()
    importlib.import_module("pipelines.a.pipeline")
    path.write_text("X = (\n")
    project.reload()
    with pytest.raises(SyntaxError) as raised:
        importlib.import_module("pipelines.a.pipeline")
    assert raised.value.filename == str(path)
    assert not project.watch.changed()
    path.write_text("X = 300\n")
    project.reload()
    assert importlib.import_module("pipelines.a.pipeline").X == 300


def test_a_file_that_is_added_or_removed_is_a_change(project: Project):
    user = project.write("pipelines/a/pipeline.py", "from shared import late")
    project.write("shared/other.py", "")
    project.reload()
    with pytest.raises(ImportError):
        importlib.import_module("pipelines.a.pipeline")
    assert not project.watch.changed()
    late = project.write("shared/late.py", "X = 1")
    project.reload()
    assert importlib.import_module("pipelines.a.pipeline").late.X == 1
    late.unlink()
    project.reload()
    project.write("shared/late/__init__.py", "X = 2")
    project.reload()
    assert importlib.import_module("pipelines.a.pipeline").late.X == 2
    assert importlib.import_module("pipelines.a.pipeline").__file__ == str(user)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("pipelines/routes.yaml", True),
        ("pipelines/a/config/deep/dataset.yml", True),
        ("shared/quality.yaml", True),
        ("utils/names.py", True),
        ("pipelines/a/README.md", False),
        ("pipelines/a/__pycache__/x.py", False),
        ("pipelines/a/.git/x.py", False),
        ("elsewhere/x.py", False),
    ],
)
def test_source_and_yaml_files_are_watched(project: Project, name: str, counts: bool):
    path = project.write(name, "a: 1")
    assert project.watch.changed() == counts
    path.write_text("a: 10")
    assert project.watch.changed() == counts
    assert not project.watch.changed()
    path.unlink()
    assert project.watch.changed() == counts


def test_files_behind_a_symbolic_link_are_watched_once(project: Project, tmp_path: Path):
    target = project.write("elsewhere/pipeline.py", "X = 1")
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "linked").symlink_to(target.parent)
    (target.parent / "back").symlink_to(tmp_path / "pipelines")
    (target.parent / "broken.py").symlink_to(tmp_path / "nothing")
    assert project.watch.changed()
    target.write_text("X = 1000")
    assert project.watch.changed()
    assert not project.watch.changed()


def test_folders_without_init_are_reloaded_too(project: Project):
    project.write("pipelines/a/deep/pipeline.py", "X = 1")
    importlib.import_module("pipelines.a.deep.pipeline")
    project.finder.forget_modules()
    assert not [name for name in sys.modules if name.partition(".")[0] in PACKAGES]
    project.write("pipelines/a/deep/__init__.py", "Y = 2")
    importlib.import_module("pipelines.a.deep.pipeline")
    assert importlib.import_module("pipelines.a.deep").Y == 2


def test_tracebacks_show_the_lines_that_ran(project: Project):
    for text in ("old", "new one"):
        path = project.write("utils/a.py", f"def fail():\n    raise ValueError('{text}')\n")
        project.reload()
        try:
            importlib.import_module("utils.a").fail()
        except ValueError:
            shown = traceback.format_exc()
        assert f'File "{path}", line 2' in shown
        assert f"raise ValueError('{text}')" in shown
    linecache.clearcache()


def test_modules_from_other_folders_stay(project: Project, tmp_path: Path):
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere" / "shared"
    elsewhere.mkdir(parents=True)
    (elsewhere / "__init__.py").write_text("X = 1")
    sys.path.append(str(elsewhere.parent))
    try:
        kept = importlib.import_module("shared")
        project.finder.forget_modules()
        assert sys.modules["shared"] is kept
    finally:
        sys.path.remove(str(elsewhere.parent))
        del sys.modules["shared"]
    assert "json" in sys.modules


RELOADS = """
import contextlib, gc, json, resource, sys, types, weakref
from pathlib import Path
from runner.stack import local_handler
from runner.errors import NothingStoredError
from runner.function import pipeline
from runner.function.phase_timer import PhaseTimer

context = types.SimpleNamespace(aws_request_id="r")
config, source = Path("pipelines/noop/config/pipeline.yaml"), Path("pipelines/noop/pipeline.py")
old, peaks = [], []
for number in range(31):
    with source.open("a") as file:
        file.write(f"\\nEDITION = {number}\\n")
    local_handler.handler({"Event": "s3:TestEvent"}, context)
    with contextlib.suppress(NothingStoredError):
        pipeline.run(config, {}, PhaseTimer(), pipeline.Result())
    assert sys.modules["pipelines.noop.pipeline"].EDITION == number
    old.append(weakref.ref(sys.modules["pipelines.noop.pipeline"].NoOp))
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
gc.collect()  # an exception and its frames refer to each other
print(json.dumps([sum(ref() is not None for ref in old), peaks[-1] - peaks[4]]))
"""
ROUTES = """
import json, types
from pathlib import Path
from runner.stack import local_handler

def run(key, **more):
    entity = {"bucket": {"name": "b"}, "object": {"key": key}}
    record = {"eventSource": "aws:s3", "eventVersion": "2.1", "eventName": "ObjectCreated:Put", "s3": entity}
    message = {"messageId": "m", "eventSource": "aws:sqs", "body": json.dumps({"Records": [record]}), **more}
    (result,) = local_handler.handler({"Records": [message]}, types.SimpleNamespace(aws_request_id="r"))["runs"]
    return result["status"], (result["error"] or {}).get("phase"), (result["error"] or {}).get("message", "")

config = Path("pipelines/noop/config/pipeline.yaml")
text = config.read_text()
results = [run("unknown.csv")]
config.write_text("triggers: ['(']")
results += [run("unknown.csv"), run("unknown.csv")]
config.write_text(text)
results += [run("unknown.csv")]
print(json.dumps(results))
"""


def run(program: str, project: Path) -> list[object]:
    """Run a program in a process of its own, as a Lambda does, and return what it prints last, as JSON."""
    shutil.copytree("benchmarks/noop_project/pipelines", project / "pipelines")
    environment = {
        "PATH": os.environ["PATH"], "MPLBACKEND": "Agg", "TSDAT_S3_BUCKET_NAME": "nowhere", "HOME": str(project),
        "LAMBDA_TASK_ROOT": str(project), "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_DEFAULT_REGION": "us-west-2",
        "AWS_LAMBDA_FUNCTION_NAME": "noop", "AWS_REGION": "us-west-2",
    }  # fmt: skip
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))


def test_thirty_reloads_leave_no_old_classes(tmp_path: Path):
    alive, grown_kb = run(RELOADS, tmp_path)
    assert alive == 1  # the newest
    assert isinstance(grown_kb, int)
    assert grown_kb < 10_000


def test_invalid_routes_fail_each_file_with_the_reason_until_they_are_fixed(tmp_path: Path):
    before, *broken, after = run(ROUTES, tmp_path)
    assert before == after == ["skipped", None, ""]
    for status, phase, message in broken:
        assert (status, phase) == ("failed", "route")
        assert "pipelines/noop/config/pipeline.yaml: triggers[0]: '(' is not a regular expression" in message
