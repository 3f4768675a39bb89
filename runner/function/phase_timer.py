"""A stopwatch that knows which phase a run is in, so that a failure can name the phase in which it happened."""

from __future__ import annotations

from time import perf_counter


class PhaseTimer:
    """Durations by phase, in seconds; one phase at a time."""

    def __init__(self) -> None:
        self.current = "start"
        self.durations_s: dict[str, float] = {}
        self._began = self._entered = perf_counter()

    def enter(self, name: str) -> None:
        """Finish the current phase and start another."""
        now = perf_counter()
        if self.current != "start":
            self.durations_s[self.current] = round(self.durations_s.get(self.current, 0.0) + now - self._entered, 4)
        self.current, self._entered = name, now

    def finish(self) -> dict[str, float]:
        """Finish the current phase and return all durations, with their `total`."""
        self.enter("finished")
        return {**self.durations_s, "total": round(perf_counter() - self._began, 4)}
