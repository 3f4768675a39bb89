import pytest

from runner.services.progress import Progress, Ticker, backlog, human_size


def test_progress_counts_bytes_to_the_end():
    said: list[str] = []
    progress = Progress(said.append, 200_000_000, every_s=0)
    for _ in range(4):
        progress.more(50_000_000)
    assert said == ["25 % of 200.0 MB", "50 % of 200.0 MB", "75 % of 200.0 MB", "100 % of 200.0 MB"]


def test_short_work_is_not_told():
    said: list[str] = []
    ticker = Ticker(said.append, every_s=60)
    ticker.tick("one")
    assert said == []


def test_long_work_is_told_again_when_it_is_time(monkeypatch: pytest.MonkeyPatch):
    said: list[str] = []
    now = 100.0
    monkeypatch.setattr("runner.services.progress.time.monotonic", lambda: now)
    ticker = Ticker(said.append, every_s=2)
    for now in (101.9, 102.0, 103.9, 110.0, 110.1, 112.0):
        ticker.tick(f"at {now}")
    assert said == ["at 102.0", "at 110.0", "at 112.0"]


@pytest.mark.parametrize(
    ("waiting", "ended", "seconds", "text"),
    [
        (9, 5, 5.0, None),
        (10, 0, 5.0, "10 files wait"),
        (100, 10, 5.0, "100 files wait, for about 50 s"),
        (1000, 10, 5.0, "1000 files wait, for about 8 min"),
    ],
)
def test_a_backlog_is_told_with_the_time_that_it_takes(waiting: int, ended: int, seconds: float, text: str | None):
    assert backlog(waiting, ended, seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (9_300, "9.3 kB"), (5_000_000, "5.0 MB"), (2_100_000_000, "2.1 GB")]
)
def test_sizes_are_as_people_say_them(size: int, text: str):
    assert human_size(size) == text
