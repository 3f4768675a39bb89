"""Decide when a file in the inbox is complete. Pure: its caller passes what it saw and when; it does no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

from runner.state.uploads import Stamp

# A file that is closed again within this time has a writer that appends.
_APPENDING_S = 10.0


@dataclass
class _Candidate:
    stamp: Stamp
    due_at: float


@dataclass
class Settler:
    """Files that were seen and are not yet uploaded.

    A file is due when its stamp has not changed for `settle_s`. One whose writer closes it, or that is renamed into
    place, is due at once. If it is soon closed again, a logger opens, appends and closes it, and it is complete when
    it has not changed for `settle_s`. The same holds for an empty file: nobody closes one on purpose.
    """

    settle_s: float
    _candidates: dict[str, _Candidate] = field(default_factory=dict)
    _closed_at: dict[str, float] = field(default_factory=dict)

    def seen(self, key: str, stamp: Stamp, now: float, quiet_s: float = 0.0) -> None:
        """Note a file with this stamp at the time `now` (seconds of any steady clock), unchanged for `quiet_s`."""
        known = self._candidates.get(key)
        if known is None or known.stamp != stamp:
            self._candidates[key] = _Candidate(stamp, now + max(0.0, self.settle_s - quiet_s))

    def closed(self, key: str, stamp: Stamp, now: float) -> None:
        """Note that its writer closed a file."""
        appending = now - self._closed_at.get(key, float("-inf")) < _APPENDING_S
        self._closed_at[key] = now
        self._candidates[key] = _Candidate(stamp, now + self.settle_s if appending or not stamp.size else now)

    def arrived(self, key: str, stamp: Stamp, now: float) -> None:
        """Note that a complete file was renamed into place."""
        self._candidates[key] = _Candidate(stamp, now)

    def postpone(self, key: str, stamp: Stamp, until: float) -> None:
        """Note that a file could not be uploaded; it is due again later."""
        self._candidates[key] = _Candidate(stamp, until)

    def take_due(self, now: float) -> list[tuple[str, Stamp]]:
        """Remove and return the files that are complete."""
        due = [(key, c.stamp) for key, c in self._candidates.items() if c.due_at <= now]
        for key, _ in due:
            del self._candidates[key]
        return due

    def tidy(self, now: float) -> None:
        """Forget what no longer matters, so that memory does not grow."""
        self._closed_at = {key: at for key, at in self._closed_at.items() if now - at < _APPENDING_S}

    def wait_s(self, now: float, most: float) -> float:
        """Return how long nothing is due, but no more than `most`."""
        return max(0.0, min([most, *(c.due_at - now for c in self._candidates.values())]))

    def __len__(self) -> int:
        """Return how many files wait."""
        return len(self._candidates)
