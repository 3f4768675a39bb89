"""The events that the queue delivered, within bounds."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runner.state.database import State
from runner.state.received_events import ReceivedEvents


def message(number: int, body: str = "{}") -> dict[str, str]:
    return {"MessageId": f"m{number}", "Body": body}


def test_a_message_is_kept_once_however_often_it_is_delivered(state: State):
    events = state.received_events
    events.add([message(1, "one"), message(2, "two")])
    events.add([message(1, "one")])
    assert [(event.message_id, event.body) for event in events.newest(9)] == [("m1", "one"), ("m2", "two")]
    (latest,) = events.newest(1)
    assert events.get(latest.id) == latest
    assert events.get(99) is None


def test_the_oldest_are_removed_and_their_numbers_are_not_reused(tmp_path: Path):
    with closing(State(tmp_path)) as state:
        events = ReceivedEvents(state._db, most_events=3)
        for number in range(1, 8):
            events.add([message(number)])
        assert [event.message_id for event in events.newest(9)] == ["m5", "m6", "m7"]
        numbers = [event.id for event in events.newest(9)]
    with closing(State(tmp_path)) as state:
        assert [event.id for event in state.received_events.newest(9)] == numbers
        state.received_events.add([message(8)])
        assert state.received_events.newest(1)[0].id == numbers[-1] + 1


def test_a_large_event_is_listed_without_its_body(state: State):
    state.received_events.add([message(1, "x" * 65_536), message(2, "x" * 65_537)])
    assert [len(event.body or "") for event in state.received_events.newest(9)] == [65_536, 0]


def test_an_event_that_cannot_be_recorded_does_not_stop_the_mapping(
    state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    with closing(sqlite3.connect(tmp_path / "state.sqlite")) as other:
        other.execute("DROP TABLE received_events")
        other.commit()
    state.received_events.add([message(1)])
    assert "an event is not kept for `runner events`: no such table: received_events" in caplog.text
