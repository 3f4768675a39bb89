from typing import Any

from runner.services.event_source_mapping.batching import Batching


def messages(count: int, size: int = 10) -> list[dict[str, Any]]:
    return [{"MessageId": str(number), "Body": "x" * size} for number in range(count)]


def sizes(batches: list[Any]) -> list[int]:
    return [len(batch) for batch in batches]


def test_without_a_window_a_batch_is_what_was_received():
    batching = Batching(10, 0)
    batching.add(messages(3), now=0)
    assert (sizes(batching.take(0)), batching.take(0)) == ([3], [])
    small = Batching(2, 0)
    small.add(messages(5), now=0)
    assert sizes(small.take(0)) == [2, 2, 1]


def test_a_batch_of_more_than_ten_is_collected_until_it_is_full():
    batching = Batching(25, 300)
    for _ in range(2):
        batching.add(messages(10), now=0)
        assert batching.take(1) == []
    batching.add(messages(10), now=2)
    assert (sizes(batching.take(2)), sizes(batching.take(3))) == ([25], [])


def test_a_batch_that_does_not_fill_up_is_taken_when_its_window_is_over():
    batching = Batching(100, 5)
    batching.add(messages(1), now=10)
    batching.add(messages(1), now=14)  # the window began with the first message
    assert (batching.take(14.9), sizes(batching.take(15))) == ([], [2])
    batching.add(messages(1), now=20)
    assert (batching.take(24), sizes(batching.take(25))) == ([], [1])


def test_an_event_is_at_most_six_megabytes():
    batching = Batching(10_000, 300)
    batching.add(messages(30, size=250_000), now=0)
    assert sizes(batching.take(0)) == [25]
    batching.add(messages(1, size=7_000_000), now=0)
    assert sizes(batching.take(300)) == [5, 1]
