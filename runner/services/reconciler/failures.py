"""What is not processed unless a person asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.errors import StackError
from runner.messages.run_record import Job, Version, versions
from runner.messages.run_summary import file_name, short_id, title
from runner.services.reconciler.classify import classify
from runner.state.database import State
from runner.state.runs import Run
from runner.state.versions import KnownVersion

if TYPE_CHECKING:
    from runner.services.reconciler.repair import Reconciler


@dataclass(frozen=True)
class Failure:
    """Jobs that are not done unless a person asks for it, and the run that decided them, if one did."""

    jobs: tuple[Job, ...]
    run: Run | None
    failed_runs: int = 0
    """How many of their runs failed, at most."""
    pipeline: str | None = None
    """Its name, if several process the file."""

    @property
    def versions(self) -> list[Version]:
        """The versions that it is about; the first is the one that its event named."""
        return list(dict.fromkeys((key, etag) for key, etag, _ in self.jobs))

    @property
    def of_pipeline(self) -> str | None:
        """The name of the pipeline that failed."""
        return self.run.record["pipeline"] if self.run else self.pipeline

    @property
    def id(self) -> str:
        """Short, and the same for the same content under the same key."""
        return short_id(self.versions[0])

    @property
    def file(self) -> str:
        """The name of its file, or the window of its schedule."""
        return file_name(title(self.run.record) if self.run else self.versions[0][0], self.pipeline)


def dead_lettered(state: State) -> Iterator[Failure]:
    """Return what is dead-lettered, newest first, one at a time."""
    by_run: dict[int, list[KnownVersion]] = {}
    for known in reversed(state.versions.with_outcome("dead-lettered")):
        by_run.setdefault(known.run_id or 0, []).append(known)
    for run_id, found in by_run.items():
        run = state.runs.get(run_id)
        named = versions(run.record)[::-1]  # the queue knows the file by the version that the event named
        found.sort(key=lambda known: named.index(known.version) if known.version in named else 0)
        pipeline = run.record["pipeline"] if state.versions.has_several(found[0].version) else None
        yield Failure(tuple(one.job for one in found), run, max(one.failures for one in found), pipeline)


def selected(reconciler: Reconciler, ids: Sequence[str] | None, pipeline: str | None = None) -> list[Failure]:
    """Return the failures with some IDs or files; all of them without any.

    Raises:
        StackError: there is no such failure.
    """
    known = list(dead_lettered(reconciler.state))[::-1]
    names = {name for failure in known for name in (failure.id, failure.versions[0][0])}
    if not names >= set(ids or ()):  # what is unaccounted for has an ID too
        known += _unaccounted(reconciler)
    selected = []
    for name in dict.fromkeys(ids or ("",)):
        of_name = [failure for failure in known if not name or name in (failure.id, failure.versions[0][0])]
        found = [failure for failure in of_name if pipeline in (None, failure.of_pipeline)]
        if ids and not found:
            what = f" in the pipeline {pipeline!r}" if of_name else ""
            raise StackError(
                f"No failure has the ID {name!r}{what}. `runner failures` and `runner reconcile` list them."
            )
        selected += [failure for failure in found if failure not in selected]
    return selected


def _unaccounted(reconciler: Reconciler) -> Iterable[Failure]:
    for finding in map(classify, reconciler.snapshot().all()):
        if finding.state == "unaccounted":
            yield Failure((finding.job,), reconciler.state.runs.of(finding.job), pipeline=finding.pipeline)
