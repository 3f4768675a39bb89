from __future__ import annotations

import queue
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.services.watcher import mounts
from runner.services.watcher.folder_events import EventKind, FolderEvents
from runner.services.watcher.inbox import Inbox

Events = queue.SimpleQueue[tuple[EventKind, str]]


@pytest.fixture
def events() -> Events:
    return queue.SimpleQueue()


@pytest.fixture
def inbox(tmp_path: Path, events: Events) -> Iterator[Inbox]:
    folder = tmp_path / "inbox"
    folder.mkdir()
    watching = FolderEvents(events)
    yield Inbox(folder, (), watching.watch)
    watching.close()


def require(events: Events, *expected: tuple[str, str]) -> None:
    """Wait until all of some events came."""
    missing, deadline = set(expected), time.monotonic() + 10
    while missing and time.monotonic() < deadline:
        missing.discard(events.get(timeout=10))
    assert not missing


def test_events_name_what_happened_to_a_file(inbox: Inbox, events: Events, tmp_path: Path):
    folder, elsewhere = inbox.folder, tmp_path / "elsewhere"
    (elsewhere / "folder").mkdir(parents=True)
    (elsewhere / "folder" / "in it.csv").write_text("x")
    list(inbox.scan())
    (folder / "written.csv").write_text("x")
    (folder / "written.csv").rename(folder / "renamed.csv")
    shutil.move(elsewhere / "folder", folder)
    require(
        events, ("changed", f"{folder}/written.csv"), ("closed", f"{folder}/written.csv"),
        ("moved in", f"{folder}/renamed.csv"), ("folder", f"{folder}/folder"),
    )  # fmt: skip
    list(inbox.scan(folder / "folder"))
    (folder / "folder/in it.csv").chmod(0o600)
    require(events, ("changed", f"{folder}/folder/in it.csv"))


def test_a_linked_folder_is_watched_below_each_of_its_links(inbox: Inbox, events: Events, tmp_path: Path):
    (tmp_path / "disk").mkdir()
    for name in ("a", "b"):
        (inbox.folder / name).symlink_to(tmp_path / "disk")
    list(inbox.scan())
    (tmp_path / "disk/new.csv").write_text("x")
    require(events, *(("closed", f"{inbox.folder}/{name}/new.csv") for name in ("a", "b")))


def test_a_folder_that_is_removed_and_made_again_is_watched_again(inbox: Inbox, events: Events):
    list(inbox.scan())
    inbox.folder.rmdir()
    inbox.folder.mkdir()
    list(inbox.scan())
    (inbox.folder / "new.csv").write_text("x")
    require(events, ("closed", f"{inbox.folder}/new.csv"))


_WATCH_TWICE = """
import logging, queue, sys
from pathlib import Path
from runner.services.watcher.folder_events import FolderEvents
logging.basicConfig(format="%(message)s")
events = FolderEvents(queue.SimpleQueue())
for _ in range(2):
    events.watch(sys.argv[1], Path(sys.argv[1]).stat().st_dev)
"""


@pytest.mark.parametrize(("what", "limit"), [("instance", "instances"), ("watch", "watches")])
def test_without_an_inotify_instance_or_watch_it_reports_once_what_to_raise(tmp_path: Path, what: str, limit: str):
    # A user namespace has limits of its own.
    command = f'echo 0 >/proc/sys/user/max_inotify_{limit} && exec "$@"'
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", command, "sh", sys.executable, "-c", _WATCH_TWICE,
         tmp_path],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == (
        f"⚠ No inotify {what} is left. Raise fs.inotify.max_user_{limit}, with `sudo sysctl` for example. "
        "Until then scans find new files, which takes a few seconds.\n"
    )


MOUNTS = """\
21 1 0:19 / /proc rw,relatime shared:5 - proc proc rw
31 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw
61 31 0:51 / /mnt/share\\040name rw,nosuid master:3 - {kind} server:/x rw
"""


@pytest.mark.parametrize(
    ("kind", "is_remote"),
    [("nfs4", True), ("nfs", True), ("cifs", True), ("smb3", True), ("9p", True), ("fuse.sshfs", True),
     ("virtiofs", True), ("fuse.grpcfuse", True), ("fuseblk", False), ("tmpfs", False), ("xfs", False)],
)  # fmt: skip
def test_remote_file_systems_are_polled(
    tmp_path: Path, kind: str, is_remote: bool, events: Events, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    monkeypatch.setattr(mounts, "_kinds", {})
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS.format(kind=kind))
    assert mounts.remote_kind(51, table) == (kind if is_remote else None)
    assert mounts.remote_kind(254 << 8 | 1, table) is None
    watching = FolderEvents(events)
    with caplog.at_level("INFO"):
        for _ in range(2):
            watching.watch(str(tmp_path), 51)
    (tmp_path / "new.csv").write_text("x")
    text = f"{tmp_path} is on {kind}, which reports no changes of other machines: it is polled"
    assert caplog.messages == ([text] if is_remote else [])
    if is_remote:
        time.sleep(0.1)
        assert events.empty()
    else:
        require(events, ("closed", f"{tmp_path}/new.csv"))
    watching.close()
