"""Collects messages into batches, as the mapping's BatchSize and MaximumBatchingWindowInSeconds say."""

from __future__ import annotations

from runner.services.event_source_mapping.worker import Batch

# Lambda invokes earlier if the event reaches its own limit, 6 MB.
_MOST_BYTES = 6 * 1024 * 1024
# What Lambda adds to each body in the event.
_ENVELOPE_BYTES = 1024


class Batching:
    """Messages that wait for their batch to fill up."""

    def __init__(self, size: int, window_s: float) -> None:
        self._size, self._window_s = size, window_s
        self._waiting: Batch = []
        self._since = 0.0

    def add(self, messages: Batch, now: float) -> None:
        """Add messages that were received at a time of a monotonic clock, in seconds."""
        if messages and not self._waiting:
            self._since = now
        self._waiting += messages

    def take(self, now: float) -> list[Batch]:
        """Return the batches that are full, and the rest if its window is over."""
        batches = []
        is_over = now - self._since >= self._window_s
        while self._waiting and (is_over or self._is_full()):
            count = _fitting(self._waiting[: self._size])
            batches.append(self._waiting[:count])
            self._waiting = self._waiting[count:]
            self._since = now
        return batches

    def _is_full(self) -> bool:
        return len(self._waiting) >= self._size or _fitting(self._waiting) < len(self._waiting)


def _fitting(messages: Batch) -> int:
    """Return how many of the messages fit into one event; at least one."""
    total = 0
    for count, message in enumerate(messages):
        total += len(message["Body"].encode()) + _ENVELOPE_BYTES
        if total > _MOST_BYTES:
            return max(1, count)
    return len(messages)
