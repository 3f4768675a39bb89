from runner.services.watcher.debounce import Settler
from runner.state.uploads import Stamp

A, B = Stamp(10, 1, 1), Stamp(20, 2, 2)


def test_a_file_is_due_when_it_has_not_changed_for_a_while():
    settler = Settler(1.0)
    settler.seen("k", A, now=0.0)
    settler.seen("k", A, now=0.9)
    assert settler.take_due(0.99) == []
    assert settler.take_due(1.0) == [("k", A)]
    assert settler.take_due(2.0) == []


def test_each_change_restarts_the_wait():
    settler = Settler(1.0)
    settler.seen("k", A, now=0.0)
    settler.seen("k", B, now=0.9)
    assert settler.take_due(1.5) == []
    assert settler.take_due(1.9) == [("k", B)]


def test_a_closed_file_is_due_at_once():
    settler = Settler(1.0)
    settler.seen("k", A, now=0.0)
    settler.closed("k", B, now=0.1)
    assert settler.take_due(0.1) == [("k", B)]


def test_a_renamed_file_is_due_at_once_each_time():
    settler = Settler(1.0)
    for now in (0.0, 0.1):
        settler.arrived("k", A, now)
        assert settler.take_due(now) == [("k", A)]


def test_a_file_that_is_closed_again_and_again_waits_until_it_stops_changing():
    settler = Settler(1.0)
    settler.closed("k", A, now=0.0)
    assert settler.take_due(0.0)
    settler.closed("k", B, now=0.5)
    assert settler.take_due(1.4) == []
    assert settler.take_due(1.5) == [("k", B)]


def test_a_close_long_after_the_last_one_belongs_to_a_new_copy():
    settler = Settler(1.0)
    settler.closed("k", A, now=0.0)
    assert settler.take_due(0.0)
    settler.tidy(now=100.0)
    settler.closed("k", B, now=100.0)
    assert settler.take_due(100.0) == [("k", B)]


def test_an_empty_file_waits():
    settler = Settler(1.0)
    settler.closed("k", Stamp(0, 1, 1), now=0.0)
    assert settler.take_due(0.9) == []
    assert settler.take_due(1.0)


def test_the_watcher_waits_until_the_next_file_is_due():
    settler = Settler(1.0)
    assert settler.wait_s(now=0.0, most=0.5) == 0.5
    settler.seen("k", A, now=0.0)
    assert settler.wait_s(now=0.8, most=0.5) == 1.0 - 0.8
    assert settler.wait_s(now=3.0, most=0.5) == 0.0


def test_a_postponed_file_is_due_later():
    settler = Settler(1.0)
    settler.postpone("k", A, until=2.0)
    assert settler.take_due(1.9) == []
    assert settler.take_due(2.0) == [("k", A)]
