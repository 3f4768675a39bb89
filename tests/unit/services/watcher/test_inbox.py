from pathlib import Path

import pytest

from runner.services.watcher.inbox import Inbox
from runner.settings import IGNORED_NAMES


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path, IGNORED_NAMES)


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
def test_unfinished_and_hidden_files_are_not_taken(inbox: Inbox, tmp_path: Path, name: str):
    path = tmp_path / name
    assert inbox.key(path) is None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    assert list(inbox.scan()) == []


def test_a_scan_finds_each_file_once_in_the_order_in_which_s3_lists_keys(inbox: Inbox, tmp_path: Path):
    keys = ["a", "b!", "b/c", "b/d.x", "b/d/e", "b0", "b😀", "é/a"]
    for key in reversed(keys):
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_text(key)
    assert list(inbox.scan()) == sorted(keys, key=str.encode)
    assert list(inbox.scan(tmp_path / "b")) == ["b/c", "b/d.x", "b/d/e"]
    assert list(inbox.scan(tmp_path / "gone")) == []


def test_a_scan_takes_linked_files_and_goes_into_no_linked_folder(inbox: Inbox, tmp_path: Path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b/file").write_text("x")
    (tmp_path / "b/round").symlink_to(tmp_path)
    (tmp_path / "b/self").symlink_to("self")
    (tmp_path / "link").symlink_to("b/file")
    assert list(inbox.scan()) == ["b/file", "b/self", "link"]
    assert inbox.stamp("b/self") is None


def test_only_regular_files_have_a_stamp(inbox: Inbox, tmp_path: Path):
    (tmp_path / "f").write_text("four")
    (tmp_path / "folder").mkdir()
    stamp = inbox.stamp("f")
    assert stamp is not None
    assert stamp.size == 4
    assert inbox.stamp("folder") is None
    assert inbox.stamp("absent") is None
