import errno
import os
from pathlib import Path

import pytest

from runner.stack.read_only import hook

WRITE, READ = os.O_WRONLY | os.O_CREAT, os.O_RDONLY


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "project/data/state/lambda-1").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def test_only_tmp_is_writable(project: Path):
    tmp = project / "data/state/lambda-1"
    refuse = hook(tmp, [project])
    allowed = [
        ("open", (str(tmp / "x"), "w", WRITE)), ("open", ("/tmp/x", "w", WRITE)), ("open", ("/dev/null", "w", WRITE)),
        ("open", ("x.csv", "r", READ)), ("open", (3, "w", WRITE)), ("os.mkdir", (str(tmp / "d"), 0o777, -1)),
        ("sqlite3.connect", (":memory:",)), ("socket.connect", (None, ("127.0.0.1", 1))),
    ]  # fmt: skip
    for event, arguments in allowed:
        refuse(event, arguments)
    refused = [
        ("open", ("out.nc", "w", WRITE)), ("open", (str(project / "x"), "a", os.O_RDWR)),
        ("open", (b"/etc/x", None, WRITE)), ("open", (str(tmp / "../../../x"), "w", WRITE)),
        ("os.mkdir", ("plots", 0o777, -1)), ("os.rename", (str(tmp / "x"), "x", -1, -1)),
        ("os.remove", ("pipelines/x.py", -1)), ("sqlite3.connect", ("cache.db",)),
    ]  # fmt: skip
    for event, arguments in refused:
        with pytest.raises(OSError, match="Read-only file system") as caught:
            refuse(event, arguments)
        assert caught.value.errno == errno.EROFS


def test_a_path_relative_to_an_open_folder(project: Path):
    tmp = project / "data/state/lambda-1"
    refuse = hook(tmp, [project])
    folders = [os.open(path, os.O_RDONLY) for path in (tmp, project)]
    refuse("os.remove", ("x", folders[0]))  # as shutil.rmtree does
    with pytest.raises(OSError, match="Read-only"):
        refuse("os.remove", ("x", folders[1]))
    for folder in folders:
        os.close(folder)


def test_a_link_out_of_tmp_leads_to_a_refusal(project: Path):
    tmp = project / "data/state/lambda-1"
    (tmp / "link").symlink_to(project)
    with pytest.raises(OSError, match="Read-only"):
        hook(tmp, [project])("open", (str(tmp / "link/x"), "w", WRITE))
