"""Retry or forget failures, as a person has decided.

Each message is sent anew, not moved by SQS's StartMessageMoveTask: in LocalStack 4.13.1 a moved message keeps its
receive count, so that its first failure would count as its last. AWS counts from zero again.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence

from runner.aws.sqs import Message, Queues
from runner.messages.run_record import FINAL, Job, Outcome, Version
from runner.services.progress import Ticker
from runner.services.reconciler.dead_letters import jobs_of
from runner.services.reconciler.failures import Failure
from runner.services.reconciler.repair import Reconciler
from runner.services.watcher.inbox import Inbox
from runner.state.versions import KnownVersion

# A message without an attempt left moves to the dead-letter queue when it is received the next time.
_MOVE_DELAY_S = 5.0
_RETRIED = "retried by a person"

Decisions = list[tuple[Failure, Outcome, str]]
"""What became of each failure, in words."""


def retry(
    reconciler: Reconciler, queues: Queues, failures: Sequence[Failure], report: Callable[[str], object]
) -> Decisions:
    """Re-queue failures: by their dead letters, or by their files if the emulator lost these.

    Args:
        report: called with a line of progress if it takes long.
    """
    letters = _Letters(reconciler, _dead_letters(queues, failures))
    decided: Decisions = []
    ticker = Ticker(report)
    for number, failure in enumerate(failures, 1):
        before = [known for job in failure.jobs for known in reconciler.state.versions.of(job[:2]) if known.job == job]
        _set_outcome(reconciler, failure, "retried", _RETRIED)  # first: a quick run could be recorded before this is
        if letters.send(failure):
            decided.append((failure, "retried", "in the queue again"))
        elif any([reconciler.requeue(job) for job in failure.jobs]):  # noqa: C419  each of them
            decided.append((failure, "retried", "uploaded or queued again"))
        else:
            for known in before:
                reconciler.state.versions.set_outcome(known.version, known.outcome, known.reason, known.config)
            outcome: Outcome = before[0].outcome if before else "uploaded"
            decided.append((failure, outcome, _why_not(reconciler, failure)))
        ticker.tick(f"{number} of {len(failures)} are queued or uploaded again …")
    letters.delete({job for failure, outcome, _ in decided if outcome == "retried" for job in failure.jobs})
    return decided


def forget(reconciler: Reconciler, failures: Sequence[Failure], reason: str) -> Decisions:
    """Drop failures and their dead letters."""
    dead = reconciler.backend.queues.dead() if reconciler.backend else []  # without a stack there are no messages
    for failure in failures:
        _set_outcome(reconciler, failure, "forgotten", f"forgotten: {reason}")
    _Letters(reconciler, dead).delete({job for failure in failures for job in failure.jobs})
    return [(failure, "forgotten", "is forgotten") for failure in failures]


class _Letters:
    """What is in the dead-letter queue."""

    def __init__(self, reconciler: Reconciler, dead: Sequence[Message]) -> None:
        self._reconciler, self._dead = reconciler, dead
        self._of: defaultdict[Version, list[Message]] = defaultdict(list)
        for message in dead:
            for version in message.versions:
                self._of[version].append(message)
        self._sent: dict[tuple[str, str], set[Job]] = {}
        """By message ID and config, empty for all pipelines: the jobs that it is for."""

    def send(self, failure: Failure) -> bool:
        """Send the message of a failure again, unless another failure had it sent; return whether there is one."""
        found = [(job, message) for job in failure.jobs for message in self._of[job[:2]] if message.concerns(job)]
        for job, message in found:
            if message is not found[0][1]:
                continue
            several = self._reconciler.state.versions.has_several(job[:2])
            name = (message.id, job[2] if several else "")
            if name not in self._sent:  # a message can name several files
                self._reconciler.send(message.body, job)
                self._sent[name] = (
                    {job} if several else {known.job for known in jobs_of(self._reconciler.state.versions, message)}
                )
        return bool(found)

    def delete(self, decided: Collection[Job]) -> None:
        """Delete those that no failure needs: also those that a killed `retry` had sent, but not deleted."""
        decided = set(decided).union(*self._sent.values())

        def is_over(known: KnownVersion) -> bool:
            return known.job in decided or (known.outcome in FINAL and known.outcome != "dead-lettered")

        if self._reconciler.backend:
            over = {
                message.id
                for message in self._dead
                if message.versions and all(map(is_over, jobs_of(self._reconciler.state.versions, message)))
            }
            self._reconciler.backend.queues.delete_dead(over)


def _dead_letters(queues: Queues, failures: Iterable[Failure]) -> list[Message]:
    """Return all dead letters, as soon as no message about the failures is in the queue any more."""
    wanted = {job for failure in failures for job in failure.jobs}
    versions = {job[:2] for job in wanted}
    deadline = time.monotonic() + _MOVE_DELAY_S
    while time.monotonic() < deadline and any(
        message.concerns(job)
        for message in queues.waiting()
        if versions.intersection(message.versions)
        for job in wanted
    ):
        time.sleep(0.2)
    return queues.dead()


def _set_outcome(reconciler: Reconciler, failure: Failure, outcome: Outcome, reason: str) -> None:
    for key, etag, config in failure.jobs:
        reconciler.state.versions.set_outcome((key, etag), outcome, reason, config)


def _why_not(reconciler: Reconciler, failure: Failure) -> str:
    key = failure.versions[0][0]
    inbox = Inbox(reconciler.settings.inbox, reconciler.settings.ignored_names)
    if not key:
        return "the emulator was restarted and lost this message, which names no file. Drop it with `runner forget`."
    if inbox.stamp(key):
        return "the emulator was restarted and lost it, and the file in the inbox has changed: the new content runs."
    return f"the emulator was restarted and lost it, and it is not in {inbox.folder}. Put it there again."
