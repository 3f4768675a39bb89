"""Decides when a file in the inbox is whole. Pure: it is told what was seen and when, and does no I/O."""

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
    """Files that were seen and are not yet taken.

    A file is due when its stamp has not changed for `settle_s`. One whose writer closes it, or that is renamed into
    place, is due at once; but when it is soon closed again it belongs to a logger that opens, appends and closes, and
    only silence tells that it is whole. So it is for an empty file: nobody closes one on purpose.
    """

    settle_s: float
    _candidates: dict[str, _Candidate] = field(default_factory=dict)
    _closed_at: dict[str, float] = field(default_factory=dict)

    def seen(self, key: str, stamp: Stamp, now: float, quiet_s: float = 0.0) -> None:
        """A file was seen with this stamp at the time `now` (seconds of any steady clock), unchanged for `quiet_s`."""
        known = self._candidates.get(key)
        if known is None or known.stamp != stamp:
            self._candidates[key] = _Candidate(stamp, now + max(0.0, self.settle_s - quiet_s))

    def closed(self, key: str, stamp: Stamp, now: float) -> None:
        """Its writer closed a file."""
        appending = now - self._closed_at.get(key, float("-inf")) < _APPENDING_S
        self._closed_at[key] = now
        self._candidates[key] = _Candidate(stamp, now + self.settle_s if appending or not stamp.size else now)

    def arrived(self, key: str, stamp: Stamp, now: float) -> None:
        """A whole file was renamed into place."""
        self._candidates[key] = _Candidate(stamp, now)

    def postpone(self, key: str, stamp: Stamp, until: float) -> None:
        """A file could not be taken; try again later."""
        self._candidates[key] = _Candidate(stamp, until)

    def take_due(self, now: float) -> list[tuple[str, Stamp]]:
        """Take out the files that are whole."""
        due = [(key, c.stamp) for key, c in self._candidates.items() if c.due_at <= now]
        for key, _ in due:
            del self._candidates[key]
        return due

    def tidy(self, now: float) -> None:
        """Forget what no longer matters, so that memory stays flat."""
        self._closed_at = {key: at for key, at in self._closed_at.items() if now - at < _APPENDING_S}

    def wait_s(self, now: float, most: float) -> float:
        """Return how long nothing is due, but no more than `most`."""
        return max(0.0, min([most, *(c.due_at - now for c in self._candidates.values())]))

    def __len__(self) -> int:
        """How many files wait."""
        return len(self._candidates)
