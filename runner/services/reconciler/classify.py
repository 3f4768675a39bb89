"""Classify an object version, in each pipeline that runs on it, from what is known about it. Pure.

Every file ends as outputs, as a skip or in the dead-letter queue, each with its reason, or it is in progress. What is
neither is unaccounted for. `runner status`, `failures`, `reconcile` and the stack itself all use this answer.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal

from runner.messages.run_record import FINAL, AboutJob, Outcome

State = Literal[
    "succeeded", "replaced", "skipped", "dead-lettered", "forgotten", "in progress", "refused", "unaccounted"
]
STATES: tuple[State, ...] = ("succeeded", "replaced", "skipped", "dead-lettered", "forgotten", "in progress", "refused")
# A new message or upload, a record of the dead letter, or an end to what has a newer version.
Repair = Literal["re-queue", "record", "close"]


@dataclass(frozen=True)
class Facts(AboutJob):
    """What is known about one version in one pipeline, or about a file in the inbox that was not uploaded yet."""

    pipeline: str | None = None
    """Its name, if there are several."""
    is_uploaded: bool = True
    """False for a file of the inbox that has no version yet."""
    outcome: Outcome | None = None
    """Of its latest run, or what a person decided since."""
    reason: str = ""
    missing_output: str | None = None
    """An output of its latest run that is not in the outputs folder any more."""
    is_in_inbox: bool = False
    """The inbox holds exactly this version."""
    is_in_bucket: bool = False
    """The source bucket holds exactly this version."""
    is_new: bool = False
    """It came into the bucket so recently that its event may not be in the queue yet."""
    is_replaced: bool = False
    """The key has another version now."""
    is_lost: bool = False
    """It was uploaded to a bucket that does not exist any more; the watcher uploads it again from the inbox."""
    is_queued: bool = False
    """A message about it is in the queue or in flight."""
    is_dead: bool = False
    """A message about it is in the dead-letter queue."""
    filtered: bool = False
    """The notification filter in template.yaml excludes its key."""
    refusal: str = ""
    """Why the inbox's entry or its name cannot be taken."""
    is_unreadable: bool = False
    """It is refused only for as long as it cannot be read."""


@dataclass(frozen=True)
class Finding(AboutJob):
    """The state of a version in a pipeline, with the reason or problem, and what repairs it."""

    _: KW_ONLY
    state: State
    reason: str = ""
    repair: Repair | None = None
    pipeline: str | None = None


def classify(facts: Facts) -> Finding:
    """Return the state of one version."""
    if facts.refusal:
        return _found(facts, "unaccounted" if facts.is_unreadable else "refused", facts.refusal)
    if not facts.is_uploaded:
        return _found(facts, "skipped", _FILTERED) if facts.filtered else _found(facts, "in progress", _NOT_UPLOADED)
    if facts.is_queued:
        return _found(facts, "in progress", facts.reason)
    if facts.outcome in FINAL:
        return _final(facts, facts.outcome)
    if facts.is_new:
        return _found(facts, "in progress", facts.reason)
    if facts.is_dead:
        return _found(facts, "unaccounted", "is in the dead-letter queue without a recorded reason", "record")
    if facts.filtered:
        return _found(facts, "skipped", _FILTERED)
    if facts.is_replaced:
        return _found(facts, "skipped", "A newer version replaced it before it ran.", "close")
    # The watcher does not know of a retry: it saw a final outcome. Nor does it upload what the new bucket has already.
    if facts.is_lost and facts.is_in_inbox and not facts.is_in_bucket and facts.outcome != "retried":
        return _found(facts, "in progress", facts.reason)
    return _stranded(facts)


def _found(facts: Facts, state: State, reason: str, repair: Repair | None = None) -> Finding:
    return Finding(*facts.job, state=state, reason=reason, repair=repair, pipeline=facts.pipeline)


def _final(facts: Facts, outcome: Outcome) -> Finding:
    if facts.missing_output and outcome == "succeeded" and not facts.is_replaced:
        # Outputs are in the folder before a run is recorded, so a person has removed it: only they know why.
        return _found(facts, "unaccounted", f"succeeded, but its output {facts.missing_output} is gone")
    state: State = next(state for state in STATES if state == outcome)
    return _found(facts, state, facts.reason)


def _stranded(facts: Facts) -> Finding:
    tried = f"; its last run {facts.outcome}: {facts.reason}" if facts.outcome in ("failed", "retried") else ""
    if facts.is_in_bucket:
        return _found(
            facts, "unaccounted", f"is in the source bucket without a message in the queue{tried}", "re-queue"
        )
    if facts.is_in_inbox:
        problem = f"was uploaded and is not in the source bucket any more{tried}"
        return _found(facts, "unaccounted", problem, "re-queue")
    if not facts.key:
        return _found(facts, "unaccounted", f"its message named no file and is gone{tried}")
    return _found(facts, "unaccounted", f"is neither in the source bucket nor in the inbox any more{tried}")


_FILTERED = "The notification filter in template.yaml excludes it."
_NOT_UPLOADED = "not yet uploaded"


@dataclass
class Summary:
    """How many versions are in each state, those that a person may want to know of, and what was repaired."""

    final: Counter[State] = field(default_factory=Counter)
    in_progress: list[Finding] = field(default_factory=list)
    unaccounted: list[Finding] = field(default_factory=list)
    replaced: list[Finding] = field(default_factory=list)
    repaired: list[Finding] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """Count a finding."""
        if finding.state == "in progress":
            self.in_progress.append(finding)
        elif finding.state == "unaccounted":
            self.unaccounted.append(finding)
        else:
            self.final[finding.state] += 1
            self.replaced += [finding] if finding.state == "replaced" else []

    def counts(self) -> dict[State, int]:
        """Return how many versions are in each state but unaccounted."""
        found = Counter({**self.final, "in progress": len(self.in_progress)})
        return {state: found[state] for state in STATES}
