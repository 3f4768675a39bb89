from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from runner.ignored_names import IGNORED_NAMES
from runner.services.watcher.inbox import FolderTimes, Inbox
from runner.state.inbox_problems import Problem
from tests.support.rights import ordinary_rights


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path, IGNORED_NAMES)


def write(inbox: Inbox, *keys: str) -> None:
    for key in keys:
        inbox.path(key).parent.mkdir(parents=True, exist_ok=True)
        inbox.path(key).write_text(key)


def scanned(inbox: Inbox, below: Path | None = None) -> list[str]:
    return [key for key, _ in inbox.scan(below)]


@pytest.mark.parametrize(
    "name",
    ["a.csv", "p/l/buoy.zip", "with space.csv", "a+b=%20.txt", "é😀.csv", "partial.csv", "~.x", "buoy.20201201",
     "a.1234567f8", "a.feedface.nc"],
)  # fmt: skip
def test_the_key_is_the_path_below_the_inbox(inbox: Inbox, tmp_path: Path, name: str):
    assert inbox.key(tmp_path / name) == name


@pytest.mark.parametrize(
    "name",
    [".hidden", ".git/config", "a.part", "a.zip.partial", "a.tmp", "a.csv~", ".a.csv.swp", "a.swp", "x.crdownload",
     "x.download", "upload.filepart", "~$book.xlsx", "#a.csv#", "in.tmp/a.csv", "A.TMP", "a.zip.6eF2a8Bc",
     "a.zip.F0000000", "a.zip.0000000a", "a.zip_.gstmp", "a.csv.!sync", "~syncthing~a.csv.tmp", ".syncthing.a.tmp",
     ".a.zip.AbC123", "a.zip.1f2e3d4c.partial", "a.CRDOWNLOAD", "Thumbs.db", "a.nc._COPYING_", "a.csv.opdownload"],
)  # fmt: skip
def test_unfinished_and_hidden_files_are_ignored(inbox: Inbox, tmp_path: Path, name: str):
    assert inbox.key(tmp_path / name) is None
    write(inbox, name)
    assert scanned(inbox) == []


def test_a_scan_finds_each_file_once_in_the_order_in_which_s3_lists_keys(inbox: Inbox, tmp_path: Path):
    keys = ["a", "b!", "b/c", "b/d.x", "b/d/e", "b0", "b😀", "é/a"]
    write(inbox, *reversed(keys))
    assert scanned(inbox) == sorted(keys, key=str.encode)
    assert scanned(inbox, tmp_path / "b") == ["b/c", "b/d.x", "b/d/e"]
    assert scanned(inbox, tmp_path / "gone") == []
    assert all(stamp == inbox.stamp(key) for key, stamp in inbox.scan())


def problem(text: str, *, is_refused: bool = True) -> Problem:
    return Problem(f"it {text}", is_refused)


LOOP = problem("is a link to a folder that contains it. Remove the link.")


def test_a_scan_follows_links_and_keeps_the_key_below_the_name_of_the_link(tmp_path: Path):
    inbox, disk = Inbox(tmp_path / "inbox", IGNORED_NAMES), tmp_path / "disk"
    write(inbox, "b/file")
    write(Inbox(disk, ()), "station/a.csv", "station/deep/b.csv")
    (inbox.folder / "link").symlink_to("b/file")
    (inbox.folder / "station").symlink_to(disk / "station")
    (inbox.folder / "again").symlink_to(disk / "station/deep")
    keys = ["again/b.csv", "b/file", "link", "station/a.csv", "station/deep/b.csv"]
    assert dict(inbox.scan()) == {key: inbox.stamp(key) for key in keys}
    assert scanned(inbox) == keys
    assert scanned(inbox, inbox.folder / "station/deep") == ["station/deep/b.csv"]
    assert inbox.stamp("again/b.csv") == inbox.stamp("station/deep/b.csv")


def test_a_scan_does_not_follow_a_link_round_in_a_circle(inbox: Inbox, tmp_path: Path):
    write(inbox, "a/file", "b/c/file")
    (tmp_path / "b/c/up").symlink_to(tmp_path)
    (tmp_path / "b/self").symlink_to("self")
    (tmp_path / "a/other").symlink_to(tmp_path / "b")
    (tmp_path / "b/other").symlink_to(tmp_path / "a")
    found = dict(inbox.scan())
    assert {key for key, state in found.items() if state == LOOP} == {
        "a/other/c/up", "a/other/other", "b/c/up", "b/other/other",
    }  # fmt: skip
    assert found["b/self"] == problem("is a link that leads back to itself. Remove it.")
    assert [key for key in found if key.endswith("file")] == ["a/file", "a/other/c/file", "b/c/file", "b/other/file"]
    assert dict(inbox.scan(tmp_path / "a/other"))["a/other/other"] == LOOP


def test_what_is_no_file_is_refused_by_name(inbox: Inbox, tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/null")
    (tmp_path / "dangling").symlink_to("/nowhere/at/all")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
    no_file = "is a {}, not a regular file. Write its contents to one, and remove it here."
    assert dict(inbox.scan()) == {
        "dangling": problem(
            "is a link to /nowhere/at/all, where the stack finds nothing. Correct the link, or put the file here. "
            "With Docker, a link can only lead to a place inside the data folder."
        ),
        **{kind: problem(no_file.format(kind)) for kind in ("device", "pipe", "socket")},
    }


def test_a_folder_that_cannot_be_listed_is_reported(inbox: Inbox, tmp_path: Path):
    write(inbox, "open/1", "closed/1", "unsearchable/1")
    (tmp_path / "closed").chmod(0)
    (tmp_path / "unsearchable").chmod(0o444)
    with ordinary_rights():
        found = dict(inbox.scan())
    assert found == {
        "closed/": problem(
            "cannot be listed: Permission denied. Its files are taken when it can be.", is_refused=False
        ),
        "open/1": inbox.stamp("open/1"),
        "unsearchable/1": problem(
            "cannot be read: Permission denied. It is taken when it can be.", is_refused=False
        ),
    }  # fmt: skip


def test_only_regular_files_have_a_stamp(inbox: Inbox, tmp_path: Path):
    write(inbox, "four")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    stamp = inbox.stamp("four")
    assert stamp
    assert stamp.size == 4
    assert [inbox.stamp(key) for key in ("folder", "pipe", "absent", "")] == [None] * 4


def test_a_file_is_quiet_since_its_last_change_of_content_or_attributes(inbox: Inbox, tmp_path: Path):
    write(inbox, "old")
    os.utime(tmp_path / "old", (1000, 1000))
    stamp = inbox.stamp("old")
    assert stamp
    assert inbox.quiet_s(stamp) < 60  # its ctime is new
    assert inbox.quiet_s(stamp._replace(ctime_ns=1)) > 10**8
    assert inbox.quiet_s(stamp._replace(ctime_ns=10**20)) == 0.0


def age(inbox: Inbox, *folders: str) -> None:
    """Set the mtime of folders so far back that it can be relied on."""
    for folder in folders:
        os.utime(inbox.path(folder), (1000, 1000))


def test_a_scan_of_changed_folders_reads_only_those(inbox: Inbox):
    write(inbox, "a/1", "b/1", "c/d/1")
    age(inbox, "", "a", "b", "c", "c/d")
    times: FolderTimes = {}
    assert len(list(inbox.scan(times=times))) == 3
    assert list(inbox.scan_changed(times)) == []
    write(inbox, "a/2", "c/d/new/2")
    inbox.path("b/1").write_text("changed in place")
    assert sorted(key for key, _ in inbox.scan_changed(times)) == ["a/1", "a/2", "c/d/1", "c/d/new/2"]
    age(inbox, "a", "c/d", "c/d/new")
    inbox.path("b/1").unlink()
    inbox.path("b").rmdir()
    age(inbox, "")
    list(inbox.scan_changed(times))
    assert list(inbox.scan_changed(times)) == []
    assert str(inbox.path("b")) not in times


def test_a_folder_with_a_recent_mtime_is_read_again(inbox: Inbox):
    write(inbox, "a/1")
    age(inbox, "")
    times: FolderTimes = {}
    list(inbox.scan(times=times))
    for _ in range(2):  # another file may be added without a new mtime
        assert [key for key, _ in inbox.scan_changed(times)] == ["a/1"]
