"""`runner retry` and `runner forget`: re-queue what failed for good, or drop it.

Each message is sent anew, not moved by SQS's StartMessageMoveTask: in LocalStack 4.13.1 a moved message keeps its
receive count, so that its first failure would count as its last. AWS counts from zero again.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Iterable, Sequence
from typing import Annotated, Optional

import typer

from runner.aws.sqs import Message, Queues
from runner.cli.options import AsJson, Data, chosen
from runner.cli.output import MARKS, print_json, results, say
from runner.errors import SettingsError, StackError
from runner.messages.object_keys import printable
from runner.messages.run_record import FINAL, Outcome, Version, new_record
from runner.messages.run_summary import title, why
from runner.services.progress import Ticker
from runner.services.reconciler.classify import classify
from runner.services.reconciler.repair import Reconciler, opened
from runner.services.watcher.inbox import Inbox
from runner.state.dead_letters import DeadLetter, dead_lettered
from runner.state.runs import Run
from runner.state.stack_lock import running_at
from runner.template import stack_template

# A message without an attempt left moves to the dead-letter queue when it is received the next time.
_MOVE_DELAY_S = 5.0
_RETRIED = "retried by a person"
_NOTHING = "No file has failed for good, so there is nothing to retry."

Ids = Annotated[list[str], typer.Argument(help="IDs as `runner failures` shows them.", show_default=False)]
SomeIds = Annotated[
    Optional[list[str]],  # noqa: UP045  Typer reads this at run time
    typer.Argument(help="IDs as `runner failures` shows them.", show_default=False),
]
Decisions = list[tuple[DeadLetter, Outcome, str]]
"""What became of each failure, in words."""


def retry(
    ids: SomeIds = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that failed for good.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Retry what failed for good, after the cause is fixed.

    `runner retry 1f2e3d4c` for one file, `runner retry --all` for all. If the emulator was restarted since, the file is
    uploaded from the inbox again. The exit code is 1 if a file cannot be retried.
    """
    if bool(ids) == everything:
        raise SettingsError("Name the failures to retry, `runner retry ID …`, or retry all: `runner retry --all`.")
    settings = chosen(data)
    described = stack_template.load_for(settings)
    with opened(settings, described, running_at(settings)) as reconciler:
        if reconciler.backend is None:
            raise StackError(f"No stack runs on {settings.data}. Start one with `runner up`, then retry.")
        decided = _retry(reconciler, reconciler.backend.queues, _selected(reconciler, ids))
    _print(decided, as_json=as_json, otherwise=_NOTHING)
    sys.exit(any(outcome != "retried" for _, outcome, _ in decided))


def forget(
    ids: Ids,
    why: Annotated[str, typer.Option(help="The reason; `runner status` shows it.", show_default=False)],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Drop what failed for good, with the reason.

    It leaves the dead-letter queue, and `runner status` shows it as forgotten: `runner forget 1f2e3d4c --why "a test"`.
    """
    if not why.strip():
        raise StackError("--why is empty. Give the reason why these files are not needed: `runner status` shows it.")
    settings = chosen(data)
    described = stack_template.load_for(settings)
    with opened(settings, described, running_at(settings)) as reconciler:
        _print(_forget(reconciler, _selected(reconciler, ids), why.strip()), as_json=as_json)


def _retry(reconciler: Reconciler, queues: Queues, failures: Sequence[DeadLetter]) -> Decisions:
    """Re-queue failures: by their dead letters, or by their files if the emulator lost these."""
    dead = _dead_letters(queues, failures)
    message_of = {version: message for message in dead for version in message.versions}
    sent: dict[str, Message] = {}
    decided: Decisions = []
    ticker = Ticker(say)
    for number, failure in enumerate(failures, 1):
        _set_outcome(reconciler, failure, "retried", _RETRIED)  # first: a quick run could be recorded before this is
        message = next((message_of[version] for version in failure.versions if version in message_of), None)
        requeued = [] if message else [reconciler.requeue(version) for version in failure.versions]
        if message:
            if message.id not in sent:  # a message can name several files
                queues.send(message.body)
                sent[message.id] = message
            decided.append((failure, "retried", "in the queue again"))
        elif any(requeued):
            decided.append((failure, "retried", "uploaded or queued again"))
        else:
            record = failure.run.record
            _set_outcome(reconciler, failure, failure.run.outcome, record["reason"] or why(record))
            decided.append((failure, failure.run.outcome, _why_not(reconciler, failure)))
        ticker.tick(f"{number} of {len(failures)} are queued or uploaded again …")
    retried = {version for failure, outcome, _ in decided if outcome == "retried" for version in failure.versions}
    _delete(reconciler, dead, retried.union(*(message.versions for message in sent.values())))
    return decided


def _forget(reconciler: Reconciler, failures: Sequence[DeadLetter], reason: str) -> Decisions:
    """Drop failures and their dead letters."""
    dead = reconciler.backend.queues.dead() if reconciler.backend else []  # without a stack there are no messages
    for failure in failures:
        _set_outcome(reconciler, failure, "forgotten", f"forgotten: {reason}")
    _delete(reconciler, dead, {version for failure in failures for version in failure.versions})
    return [(failure, "forgotten", "is forgotten") for failure in failures]


def _delete(reconciler: Reconciler, dead: Iterable[Message], decided: Collection[Version]) -> None:
    """Delete the dead letters that no failure needs: also those that a killed `retry` had sent, but not deleted."""

    def is_over(version: Version) -> bool:
        outcome = reconciler.state.versions.outcome(version)
        return version in decided or (outcome in FINAL and outcome != "dead-lettered")

    if reconciler.backend:
        over = {message.id for message in dead if message.versions and all(map(is_over, message.versions))}
        reconciler.backend.queues.delete_dead(over)


def _selected(reconciler: Reconciler, ids: Sequence[str] | None) -> list[DeadLetter]:
    """Return the failures with some IDs; all of them without IDs.

    Raises:
        StackError: there is no failure with an ID.
    """
    known = list(dead_lettered(reconciler.state))[::-1]
    if not ids:
        return known
    by_id = {failure.id: failure for failure in known}
    if not by_id.keys() >= set(ids):  # what is unaccounted for has an ID too
        by_id |= {failure.id: failure for failure in _unaccounted(reconciler)}
    for name in ids:
        if name not in by_id:
            raise StackError(f"No failure has the ID {name!r}. `runner failures` and `runner reconcile` list them.")
    return [by_id[name] for name in dict.fromkeys(ids)]


def _unaccounted(reconciler: Reconciler) -> Iterable[DeadLetter]:
    for finding in map(classify, reconciler.snapshot().all()):
        if finding.state == "unaccounted":
            bucket = reconciler.template.source_bucket
            inputs = [{"bucket": bucket, "key": finding.key, "size": None, "etag": finding.etag}]
            unknown = Run(0, 0.0, "failed", 0, new_record("failed", "", inputs=inputs if finding.key else []))
            yield DeadLetter((finding.version,), reconciler.state.runs.of(finding.version) or unknown, 0)


def _dead_letters(queues: Queues, failures: Iterable[DeadLetter]) -> list[Message]:
    """Return all dead letters, as soon as no message about the failures is in the queue any more."""
    wanted = {version for failure in failures for version in failure.versions}
    deadline = time.monotonic() + _MOVE_DELAY_S
    while time.monotonic() < deadline and any(wanted.intersection(message.versions) for message in queues.waiting()):
        time.sleep(0.2)
    return queues.dead()


def _set_outcome(reconciler: Reconciler, failure: DeadLetter, outcome: Outcome, reason: str) -> None:
    for version in failure.versions:
        reconciler.state.versions.set_outcome(version, outcome, reason)


def _why_not(reconciler: Reconciler, failure: DeadLetter) -> str:
    key = failure.versions[0][0]
    inbox = Inbox(reconciler.settings.inbox, reconciler.settings.ignored_names)
    if not key:
        return "the emulator was restarted and lost this message, which names no file. Drop it with `runner forget`."
    if inbox.stamp(key):
        return "the emulator was restarted and lost it, and the file in the inbox has changed: the new content runs."
    return f"the emulator was restarted and lost it, and it is not in {inbox.folder}. Put it there again."


def _print(decided: Decisions, *, as_json: bool, otherwise: str = "") -> None:
    rows = [(failure.id, printable(title(failure.run.record)), *result) for failure, *result in decided]
    if as_json:
        print_json([dict(zip(("id", "file", "outcome", "text"), row, strict=True)) for row in rows])
        return
    for name, file, outcome, text in rows:
        is_done = outcome in ("retried", "forgotten")
        line = f"{MARKS[outcome]} {name} {file}{'' if is_done else ':'} {text}"
        results.print(line, markup=False, style=None if is_done else "red")
    if not rows:
        results.print(otherwise)
