from pathlib import Path

from runner.state.database import database
from runner.state.uploads import Ledger, Upload

BEFORE = """
CREATE TABLE uploads (
    key TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, sha256 TEXT NOT NULL,
    etag TEXT NOT NULL, epoch TEXT NOT NULL, uploaded_at REAL NOT NULL);
INSERT INTO uploads VALUES ('k', 1, 2, 'sha', 'etag', 'epoch', 3.0);
"""


def test_the_ledger_keeps_the_last_upload_of_each_key(tmp_path: Path):
    ledger = Ledger(tmp_path)
    assert ledger.get("k") is None
    first = Upload("k", 1, 2, 3, "sha", "etag", "epoch", 3.0)
    second = Upload("k", 9, 9, 9, "sha2", "etag2", "epoch", 4.0)
    ledger.put(first)
    assert ledger.get("k") == first
    ledger.put(second)
    assert list(ledger.uploads()) == [second]
    ledger.close()


def test_a_ledger_from_before_ctimes_were_kept_is_read_and_written(tmp_path: Path):
    database(tmp_path / "ledger.sqlite", BEFORE).close()
    for _ in range(2):
        ledger = Ledger(tmp_path)
        known = ledger.get("k")
        assert known == Upload("k", 1, 2, 0, "sha", "etag", "epoch", 3.0)
        ledger.put(known)
        ledger.close()
