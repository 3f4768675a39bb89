from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.services.watcher.inbox import FolderTimes, Inbox
from runner.settings import IGNORED_NAMES


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
    "name", ["a.csv", "p/l/buoy.zip", "with space.csv", "a+b=%20.txt", "é😀.csv", "partial.csv", "~.x"]
)
def test_the_key_is_the_path_below_the_inbox(inbox: Inbox, tmp_path: Path, name: str):
    assert inbox.key(tmp_path / name) == name


@pytest.mark.parametrize(
    "name",
    [".hidden", ".git/config", "a.part", "a.zip.partial", "a.tmp", "a.csv~", ".a.csv.swp", "a.swp", "x.crdownload",
     "x.download", "upload.filepart", "~$book.xlsx", "#a.csv#", "in.tmp/a.csv"],
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


def test_a_scan_follows_links_to_files_but_not_to_folders(inbox: Inbox, tmp_path: Path):
    write(inbox, "b/file")
    (tmp_path / "b/circle").symlink_to(tmp_path)
    (tmp_path / "b/self").symlink_to("self")
    (tmp_path / "link").symlink_to("b/file")
    assert dict(inbox.scan()) == {
        "b/file": inbox.stamp("b/file"), "b/self": None, "link": inbox.stamp("b/file"),
    }  # fmt: skip


def test_only_regular_files_have_a_stamp(inbox: Inbox, tmp_path: Path):
    write(inbox, "four")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    stamp = inbox.stamp("four")
    assert stamp
    assert stamp.size == 4
    assert [inbox.stamp(key) for key in ("folder", "pipe", "absent", "")] == [None] * 4
    assert dict(inbox.scan()) == {"four": stamp, "pipe": None}


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
