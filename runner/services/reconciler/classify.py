"""The balance sheet: every version of every file has come to exactly one end, or is on its way. Pure.

Told what there is in the inbox, the bucket, the queues, the history and the outputs, it says of each version where it
is. A version is a key with an ETag; a file of the inbox that is not uploaded yet has none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from runner.messages.run_record import FINAL, Outcome, Version

Place = Literal["succeeded", "skipped", "dead-lettered", "forgotten", "in progress", "refused"]
PLACES: tuple[Place, ...] = ("succeeded", "skipped", "dead-lettered", "forgotten", "in progress", "refused")
# What sets an unaccounted version right: the history is told of its dead letter, or it is given to the queue again.
Remedy = Literal["enter", "again"]


@dataclass(frozen=True)
class LastRun:
    """What the history says of a version: how its latest run ended, and why if it made nothing."""

    outcome: Outcome
    reason: str = ""
    was_read: bool = True
    """False: its event came late, and the run read a newer version."""
    missing: tuple[str, ...] = ()
    """Keys of outputs that are neither in the bucket nor in the outputs folder."""
    kept: bool = False
    """All outputs have been in the outputs folder, so that somebody must have taken the missing ones."""


@dataclass(frozen=True)
class World:
    """All that is known at one time, of all keys or of some."""

    inbox: Mapping[str, str | None] = field(default_factory=dict)
    """Files by key, with the ETag that their present state had when it was uploaded; None if it never was."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Files that S3 cannot take, and why."""
    unnoticed: Mapping[str, str] = field(default_factory=dict)
    """Keys of which S3 does not tell the queue, and why."""
    uploads: Mapping[str, str] = field(default_factory=dict)
    """The last version of each key that the watcher has uploaded."""
    lost: frozenset[str] = frozenset()
    """Keys whose last upload went to a bucket that is not there any more, or now not running."""
    objects: Mapping[str, str] = field(default_factory=dict)
    """The source bucket."""
    queued: frozenset[Version] = frozenset()
    """Versions with a message in the queue or in flight."""
    fresh: frozenset[Version] = frozenset()
    """Versions that came into the bucket just now, so that their event may still be on its way to the queue."""
    dead: frozenset[Version] = frozenset()
    """Versions with a message in the dead-letter queue."""
    runs: Mapping[Version, LastRun] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """Where a version is; without a place it is unaccounted for and has a problem."""

    key: str
    etag: str
    place: Place | None
    problem: str = ""
    remedy: Remedy | None = None


def balance(world: World) -> list[Finding]:
    """One finding for each version, sorted."""
    known: set[Version] = {*world.uploads.items(), *world.objects.items(), *world.queued, *world.dead, *world.runs}
    known |= {(key, etag) for key, etag in world.inbox.items() if etag is not None}
    found = [_judge(world, version) for version in known]
    found += [_unsent(world, key) for key, etag in world.inbox.items() if etag is None]
    found += [Finding(key, "", "refused") for key in world.refused]
    return sorted(found, key=lambda finding: (finding.key, finding.etag))


def unaccounted(findings: Iterable[Finding]) -> list[Finding]:
    """Those that have come to no end and are not on their way."""
    return [finding for finding in findings if finding.place is None]


@dataclass
class Sheet:
    """The balance of many versions: how many ended where, and each that has not; those that have need no memory."""

    ended: Counter[Place] = field(default_factory=Counter)
    open: list[Finding] = field(default_factory=list)
    """What is in progress or unaccounted for."""

    def unaccounted(self) -> list[Finding]:
        """What has come to no end and is not on its way."""
        return unaccounted(self.open)

    def in_progress(self) -> list[Finding]:
        """What is on its way."""
        return [finding for finding in self.open if finding.place]

    def counts(self) -> dict[Place, int]:
        """How many versions are in each place."""
        found = Counter({**self.ended, "in progress": len(self.in_progress())})
        return {place: found[place] for place in PLACES}


def draw(worlds: Iterable[World]) -> Sheet:
    """The balance of worlds that have no key in common."""
    sheet = Sheet()
    for world in worlds:
        for finding in balance(world):
            if finding.place in (None, "in progress"):
                sheet.open.append(finding)
            else:
                sheet.ended[finding.place] += 1
    return sheet


def _unsent(world: World, key: str) -> Finding:
    return Finding(key, "", "skipped" if key in world.unnoticed else "in progress")


def _judge(world: World, version: Version) -> Finding:
    key, etag = version
    run = world.runs.get(version)
    if version in world.queued:
        return Finding(key, etag, "in progress")
    if run and run.outcome in FINAL:
        return _ended(world, version, run)
    if version in world.fresh:
        return Finding(key, etag, "in progress")
    if version in world.dead:
        return Finding(key, etag, None, "is in the dead-letter queue, and the history does not say why", "enter")
    if key in world.unnoticed:
        return Finding(key, etag, "skipped")
    if _newer(world, version):
        return Finding(key, etag, "skipped")
    # The watcher uploads it again; not what was about to be retried, because it knew of the end before that.
    if key in world.lost and world.inbox.get(key) == etag and not (run and run.outcome == "retried"):
        return Finding(key, etag, "in progress")
    return Finding(key, etag, None, *_stranded(world, version, run))


def _ended(world: World, version: Version, run: LastRun) -> Finding:
    key, etag = version
    if run.outcome != "succeeded":
        place: Place = "dead-lettered" if run.outcome == "dead-lettered" else _named(run.outcome)
        return Finding(key, etag, place) if run.reason else Finding(key, etag, None, f"was {place} without a reason")
    if not run.was_read:
        return Finding(key, etag, "skipped")
    if not run.missing or _newer(world, version):
        return Finding(key, etag, "succeeded")
    problem = f"has succeeded, but this output is neither in the bucket nor in the outputs folder: {run.missing[0]}"
    again = _can_come_again(world, version) and not run.kept
    return Finding(key, etag, None, problem, "again" if again else None)


def _named(outcome: Outcome) -> Place:
    return "forgotten" if outcome == "forgotten" else "skipped"


def _newer(world: World, version: Version) -> bool:
    """Whether the key has another version by now: in the bucket, else in the inbox, else among the uploads."""
    key, etag = version
    for place in (world.objects, world.inbox, world.uploads):
        if key in place:
            return place[key] != etag
    return False


def _can_come_again(world: World, version: Version) -> bool:
    key, etag = version
    return etag in (world.objects.get(key), world.inbox.get(key))


def _stranded(world: World, version: Version, run: LastRun | None) -> tuple[str, Remedy | None]:
    tried = f"; its last run {run.outcome}: {run.reason}" if run else ""
    key, etag = version
    if world.objects.get(key) == etag:
        return f"is in the source bucket without a message in the queue{tried}", "again"
    if world.inbox.get(key) == etag:
        return f"was uploaded and is not in the source bucket any more{tried}", "again"
    if not key:
        return f"its message named no file and is gone{tried}", None
    return f"is neither in the source bucket nor in the inbox any more{tried}", None
