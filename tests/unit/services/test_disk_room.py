from __future__ import annotations

import errno
import logging
import sqlite3
from pathlib import Path

import pytest

from runner.services.disk_room import DiskRoom, is_full

HUGE = 1 << 60


def test_a_full_disk_is_reported_once_and_once_that_it_has_room_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    room = DiskRoom(logging.getLogger("x"), "files wait", tmp_path)
    with caplog.at_level("INFO"):
        assert room.has()
        assert not room.has(HUGE, " for it")
        assert not room.has(HUGE, " for it")
        monkeypatch.setattr("runner.services.disk_room._free", lambda _: HUGE)
        assert room.has(HUGE)
    full, again = caplog.messages
    assert full.startswith(f"✗ the disk of {tmp_path} is full: ")
    assert full.endswith(
        " are free, and 1152921504.6 GB are needed for it. Delete something there; until then files wait."
    )
    assert again == f"the disk of {tmp_path} has room again: work goes on"


def test_what_says_that_a_disk_is_full():
    full = sqlite3.connect(":memory:")
    full.execute("CREATE TABLE t (x)")
    full.execute("PRAGMA max_page_count = 2")
    with pytest.raises(sqlite3.OperationalError) as raised:
        full.execute("INSERT INTO t VALUES (zeroblob(100000))")
    assert is_full(raised.value)
    assert is_full(OSError(errno.ENOSPC, "x"))
    assert is_full(OSError(errno.EDQUOT, "x"))
    assert not is_full(OSError(errno.EACCES, "x"))
    with pytest.raises(sqlite3.OperationalError) as raised:
        full.execute("no SQL")
    assert not is_full(raised.value)
