"""The events that were seen, within bounds."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runner.state.received_events import Seen


def message(number: int, body: str = "{}") -> dict[str, str]:
    return {"MessageId": f"m{number}", "Body": body}


def test_a_message_is_kept_once_however_often_it_comes(tmp_path: Path):
    with closing(Seen(tmp_path)) as seen:
        seen.note([message(1, "one"), message(2, "two")])
        seen.note([message(1, "one")])
        assert [(event.message_id, event.body) for event in seen.newest(9)] == [("m1", "one"), ("m2", "two")]
        (latest,) = seen.newest(1)
        assert seen.get(latest.id) == latest
        assert seen.get(99) is None


def test_the_oldest_make_room_and_numbers_are_not_given_again(tmp_path: Path):
    with closing(Seen(tmp_path, most_events=3)) as seen:
        for number in range(1, 8):
            seen.note([message(number)])
        assert [event.message_id for event in seen.newest(9)] == ["m5", "m6", "m7"]
        numbers = [event.id for event in seen.newest(9)]
    with closing(Seen(tmp_path, most_events=3)) as seen:
        assert [event.id for event in seen.newest(9)] == numbers
        seen.note([message(8)])
        assert seen.newest(1)[0].id == numbers[-1] + 1


def test_what_is_too_large_is_listed_without_its_body(tmp_path: Path):
    with closing(Seen(tmp_path)) as seen:
        seen.note([message(1, "x" * 65_536), message(2, "x" * 65_537)])
        assert [len(event.body or "") for event in seen.newest(9)] == [65_536, 0]


def test_a_file_that_cannot_be_written_does_not_stop_the_poller(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with closing(Seen(tmp_path)) as seen, closing(sqlite3.connect(tmp_path / "events.sqlite")) as other:
        other.execute("DROP TABLE events")
        other.commit()
        seen.note([message(1)])
    assert "an event is not kept for `runner events`: no such table: events" in caplog.text
