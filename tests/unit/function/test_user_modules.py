"""Edits of the user's modules, with real files and Python's real import."""

import importlib
import linecache
import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.function.user_modules import NAMES, UserModules

Project = tuple[UserModules, Callable[[str, str], Path]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project of its own, as if this process had never seen another one."""
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in NAMES}
    for name in before:
        del sys.modules[name]
    others = [finder for finder in sys.meta_path if not isinstance(finder, UserModules)]
    monkeypatch.setattr(sys, "meta_path", others)
    here = [entry for entry in sys.path if Path(entry).resolve() == Path.cwd()]
    monkeypatch.setattr(sys, "path", [str(tmp_path), *(entry for entry in sys.path if entry not in here)])
    modules = UserModules(tmp_path)
    modules.install()

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    yield modules, write
    modules.forget()
    sys.modules.update(before)


def test_nothing_changes_by_itself_and_nothing_is_written(project: Project, tmp_path: Path):
    modules, write = project
    write("pipelines/a/pipeline.py", "X = 1")
    assert importlib.import_module("pipelines.a.pipeline").X == 1
    assert not modules.changed()
    assert not list(tmp_path.rglob("*.pyc"))


def test_an_edit_of_the_same_size_within_the_same_second_counts(project: Project):
    modules, write = project
    path = write("pipelines/__init__.py", "X = 1")
    os.utime(path, ns=(10**18, 10**18))
    first = importlib.import_module("pipelines")
    path.write_text("X = 2")
    os.utime(path, ns=(10**18, 10**18 + 1000))
    assert modules.changed()
    modules.forget()
    assert importlib.import_module("pipelines").X == 2
    assert first.X == 1
    assert not modules.changed()


def test_stale_bytecode_is_never_used(project: Project):
    modules, write = project
    path = write("shared/a.py", "X = 1")
    import py_compile

    py_compile.compile(str(path))
    stat = path.stat()
    path.write_text("X = 2")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert importlib.import_module("shared.a").X == 2


def test_a_helper_is_reloaded_with_whoever_uses_it(project: Project):
    modules, write = project
    helper = write("utils/units.py", "def scale(): return 1")
    write("pipelines/a/pipeline.py", "from utils.units import scale\nX = scale()")
    importlib.import_module("pipelines.a.pipeline")
    helper.write_text("def scale(): return 1000")
    assert modules.changed()
    modules.forget()
    assert importlib.import_module("pipelines.a.pipeline").X == 1000


def test_a_syntax_error_is_told_with_its_line_and_mended_by_the_next_save(project: Project):
    modules, write = project
    path = write("pipelines/a/pipeline.py", "X = 1\n")
    importlib.import_module("pipelines.a.pipeline")
    path.write_text("X = (\n")
    modules.forget()
    with pytest.raises(SyntaxError) as raised:
        importlib.import_module("pipelines.a.pipeline")
    assert raised.value.filename == str(path)
    assert not modules.changed()
    path.write_text("X = 3\n")
    assert modules.changed()
    modules.forget()
    assert importlib.import_module("pipelines.a.pipeline").X == 3


def test_a_file_that_comes_or_goes_is_a_change(project: Project):
    modules, write = project
    user = write("pipelines/a/pipeline.py", "from shared import late")
    write("shared/other.py", "")
    with pytest.raises(ImportError):
        importlib.import_module("pipelines.a.pipeline")
    assert not modules.changed()
    late = write("shared/late.py", "X = 1")
    assert modules.changed()
    modules.forget()
    assert importlib.import_module("pipelines.a.pipeline").late.X == 1
    late.unlink()
    assert modules.changed()
    modules.forget()
    write("shared/late/__init__.py", "X = 2")
    assert importlib.import_module("pipelines.a.pipeline").late.X == 2
    assert importlib.import_module("pipelines.a.pipeline").__file__ == str(user)


def test_folders_without_init_are_forgotten_too(project: Project):
    modules, write = project
    write("pipelines/a/deep/pipeline.py", "X = 1")
    importlib.import_module("pipelines.a.deep.pipeline")
    modules.forget()
    assert not [name for name in sys.modules if name.partition(".")[0] in NAMES]
    write("pipelines/a/deep/__init__.py", "Y = 2")
    importlib.import_module("pipelines.a.deep.pipeline")
    assert importlib.import_module("pipelines.a.deep").Y == 2


def test_tracebacks_show_the_lines_that_ran(project: Project):
    modules, write = project
    path = write("utils/a.py", "def fail():\n    raise ValueError('old')\n")
    for text in ("old", "new one"):
        path.write_text(f"def fail():\n    raise ValueError('{text}')\n")
        modules.forget()
        try:
            importlib.import_module("utils.a").fail()
        except ValueError:
            shown = traceback.format_exc()
        assert f'File "{path}", line 2' in shown
        assert f"raise ValueError('{text}')" in shown
    linecache.clearcache()


def test_what_is_not_the_users_stays(project: Project, tmp_path: Path):
    modules, write = project
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere" / "shared"
    elsewhere.mkdir(parents=True)
    (elsewhere / "__init__.py").write_text("X = 1")
    sys.path.append(str(elsewhere.parent))
    try:
        kept = importlib.import_module("shared")
        modules.forget()
        assert sys.modules["shared"] is kept
    finally:
        sys.path.remove(str(elsewhere.parent))
        del sys.modules["shared"]
    assert "json" in sys.modules


RELOADS = """
import gc, os, resource, sys, weakref
from pathlib import Path
from runner.function import pipeline

root = Path.cwd()
pipeline.use_project(root)
pipeline.warm_up()
config, source = Path("pipelines/noop/config/pipeline.yaml"), Path("pipelines/noop/pipeline.py")
old, peaks = [], []
for number in range(31):
    with source.open("a") as file:
        file.write(f"\\nEDITION = {number}\\n")
    pipeline.run(config, {}, pipeline.Phases(), pipeline.Result())
    assert sys.modules["pipelines.noop.pipeline"].EDITION == number
    old.append(weakref.ref(sys.modules["pipelines.noop.pipeline"].NoOp))
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(sum(ref() is not None for ref in old), peaks[-1] - peaks[4])
"""


def test_thirty_reloads_leave_no_old_classes(tmp_path: Path):
    shutil.copytree("benchmarks/noop_project/pipelines", tmp_path / "pipelines")
    known = {"PATH": os.environ["PATH"], "MPLBACKEND": "Agg", "TSDAT_S3_BUCKET_NAME": "nowhere", "HOME": str(tmp_path)}
    fake = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-c", RELOADS], cwd=tmp_path, env=known | fake, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    alive, grown_kb = map(int, done.stdout.split())
    assert alive == 1, done.stdout  # the newest
    assert grown_kb < 10_000, done.stdout
