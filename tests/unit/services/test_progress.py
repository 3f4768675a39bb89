import pytest

from runner.services.progress import Ticker, TransferProgress, backlog, human_size


def test_transfer_progress_reports_percentages_up_to_100():
    reported: list[str] = []
    progress = TransferProgress(reported.append, 200_000_000, every_s=0)
    for _ in range(4):
        progress.add(50_000_000)
    assert reported == ["25 % of 200.0 MB", "50 % of 200.0 MB", "75 % of 200.0 MB", "100 % of 200.0 MB"]


def test_work_shorter_than_the_interval_is_not_reported():
    reported: list[str] = []
    ticker = Ticker(reported.append, every_s=60)
    ticker.tick("one")
    assert reported == []


def test_long_work_is_reported_once_per_interval(monkeypatch: pytest.MonkeyPatch):
    reported: list[str] = []
    now = 100.0
    monkeypatch.setattr("runner.services.progress.time.monotonic", lambda: now)
    ticker = Ticker(reported.append, every_s=2)
    for now in (101.9, 102.0, 103.9, 110.0, 110.1, 112.0):
        ticker.tick(f"at {now}")
    assert reported == ["at 102.0", "at 110.0", "at 112.0"]


@pytest.mark.parametrize(
    ("waiting", "finished", "seconds", "text"),
    [
        (9, 5, 5.0, None),
        (10, 0, 5.0, "10 files waiting"),
        (100, 10, 5.0, "100 files waiting, about 50 s left"),
        (1000, 10, 5.0, "1000 files waiting, about 8 min left"),
    ],
)
def test_backlog_is_reported_with_the_remaining_time(waiting: int, finished: int, seconds: float, text: str | None):
    assert backlog(waiting, finished, seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (9_300, "9.3 kB"), (5_000_000, "5.0 MB"), (2_100_000_000, "2.1 GB")]
)
def test_sizes_have_decimal_units(size: int, text: str):
    assert human_size(size) == text
