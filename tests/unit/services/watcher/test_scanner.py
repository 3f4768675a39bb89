from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.services.watcher.inbox import Inbox
from runner.services.watcher.scanner import Scanner

INTERVAL_S = 2.0


class Clock:
    """A clock that the test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path, ())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def scanner(inbox: Inbox, clock: Clock) -> Scanner:
    return Scanner(inbox, INTERVAL_S, clock)


def add(inbox: Inbox, *keys: str) -> None:
    """Add files to folders whose mtimes are so old that they can be relied on."""
    for key in keys:
        inbox.path(key).parent.mkdir(parents=True, exist_ok=True)
        inbox.path(key).write_text("x")
        os.utime(inbox.path(key).parent, (1000, 1000))
    os.utime(inbox.folder, (1000, 1000))


def look(scanner: Scanner, clock: Clock, seconds_a_file: float = 0.0) -> list[str]:
    """Look once; each file takes some seconds."""
    found = []
    for key, _ in scanner.look():
        found.append(key)
        clock.now += seconds_a_file
    return found


def test_a_look_at_every_file_is_repeated_after_the_interval(inbox: Inbox, scanner: Scanner, clock: Clock):
    add(inbox, "a/1", "b/1")
    assert (scanner.completed, scanner.wait_s(clock.now)) == (0, 0.0)
    assert look(scanner, clock) == ["a/1", "b/1"]
    assert (scanner.completed, scanner.wait_s(clock.now)) == (1, INTERVAL_S)
    assert look(scanner, clock) == []
    clock.now += INTERVAL_S
    assert scanner.wait_s(clock.now) == 0.0
    assert look(scanner, clock) == ["a/1", "b/1"]
    assert scanner.completed == 2


def test_a_restarted_scan_begins_with_every_file(inbox: Inbox, scanner: Scanner, clock: Clock):
    add(inbox, "a/1")
    look(scanner, clock)
    scanner.restart()
    assert look(scanner, clock) == ["a/1"]


def test_a_long_look_is_cut_into_slices(inbox: Inbox, scanner: Scanner, clock: Clock):
    add(inbox, *(f"a/{number:03}" for number in range(250)))
    slices = []
    while not scanner.completed:
        assert scanner.wait_s(clock.now) == 0.0
        slices.append(look(scanner, clock, seconds_a_file=0.0003))  # 0.03 s for a hundred
    assert [len(keys) for keys in slices] == [100, 100, 50]
    assert sum(slices, []) == sorted(sum(slices, []))


def test_full_looks_take_one_percent_of_the_time_and_looks_at_changed_folders_four(
    inbox: Inbox, scanner: Scanner, clock: Clock
):
    add(inbox, "a/1", "b/1")
    look(scanner, clock, seconds_a_file=0.5)
    inbox.path("a/1").write_text("changed in place")
    add(inbox, "b/2")
    os.utime(inbox.path("b"), (2000, 2000))
    clock.now += INTERVAL_S
    assert look(scanner, clock, seconds_a_file=0.5) == ["b/1", "b/2"]
    assert scanner.wait_s(clock.now) == pytest.approx(1.0 / 0.04)
    clock.now += 1.0 / 0.04
    assert look(scanner, clock) == []
    assert scanner.wait_s(clock.now) == INTERVAL_S
    clock.now = 101.0 + 1.0 / 0.01  # a full look took one second
    assert look(scanner, clock) == ["a/1", "b/1", "b/2"]
    assert scanner.completed == 2
