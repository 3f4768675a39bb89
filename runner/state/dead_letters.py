"""What failed for good: each run whose versions are not retried unless a person asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from runner.messages.run_record import Version, versions
from runner.messages.run_summary import short_id
from runner.state.database import State
from runner.state.runs import Run


@dataclass(frozen=True)
class DeadLetter:
    """A run that is not retried unless a person asks for it, with the versions that it decides."""

    versions: tuple[Version, ...]
    run: Run
    failed_runs: int
    """How many runs of its versions failed, at most."""

    @property
    def id(self) -> str:
        """Short, and the same for the same content under the same key."""
        return short_id(self.versions[0])


def dead_lettered(state: State) -> Iterator[DeadLetter]:
    """Return what is dead-lettered, newest first, one at a time."""
    by_run: dict[int, list[tuple[Version, int]]] = {}
    for known in reversed(state.versions.with_outcome("dead-lettered")):
        by_run.setdefault(known.run_id or 0, []).append((known.version, known.failures))
    return (_failure(state.runs.get(run_id), about) for run_id, about in by_run.items())


def _failure(run: Run, about: Iterable[tuple[Version, int]]) -> DeadLetter:
    """Return a failure whose first version is the one that its event named: the queue knows the file by it."""
    failed_runs = dict(about)
    named = versions(run.record)[::-1]
    in_order = sorted(failed_runs, key=lambda version: named.index(version) if version in named else 0)
    return DeadLetter(tuple(in_order), run, max(failed_runs.values()))
