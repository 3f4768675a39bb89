"""`runner retry` and `runner forget`: re-queue what failed for good, or drop it.

Message by message, and not by SQS's StartMessageMoveTask: in LocalStack 4.13.1 a moved message keeps its receive count,
so that its first failure would count as its last. AWS counts from zero again.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from typing import Annotated, Optional

import typer

from runner.aws.sqs import Message
from runner.cli.failures import DeadLetter, dead_lettered
from runner.cli.options import Data, chosen
from runner.cli.output import results, say
from runner.errors import SettingsError, StackError
from runner.messages import run_summary
from runner.messages.object_keys import printable
from runner.messages.run_record import FINAL, Outcome, Version, new_record
from runner.messages.run_summary import title
from runner.services.progress import Ticker
from runner.services.reconciler.classify import classify
from runner.services.reconciler.repair import Reconciler, opened
from runner.services.watcher.inbox import Inbox
from runner.state.runs import Run
from runner.state.stack_lock import running_at
from runner.template import stack_template

# A message without an attempt left moves to the dead-letter queue when it is received the next time.
_MOVE_DELAY_S = 5.0
_RETRIED = "retried by a person"

Ids = Annotated[list[str], typer.Argument(help="IDs as `runner failures` shows them.", show_default=False)]
SomeIds = Annotated[
    Optional[list[str]],  # noqa: UP045  Typer reads this at run time
    typer.Argument(help="IDs as `runner failures` shows them.", show_default=False),
]


def retry(
    ids: SomeIds = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that failed for good.")] = False,
    data: Data = None,
) -> None:
    """Retry what failed for good, after the cause is fixed.

    `runner retry 1f2e3d4c` for one file, `runner retry --all` for all. If the emulator was restarted since, the file is
    uploaded from the inbox again.
    """
    if bool(ids) == everything:
        raise SettingsError("Name the failures to retry, `runner retry ID …`, or retry all: `runner retry --all`.")
    settings = chosen(data)
    endpoint_url = running_at(settings)
    if endpoint_url is None:
        raise StackError(f"No stack runs on {settings.data}. Start one with `runner up`, then retry.")
    with opened(settings, stack_template.load(settings.root / "template.yaml"), endpoint_url) as reconciler:
        failures = _selected(reconciler, ids)
        sys.exit(_retry(reconciler, failures))


def _retry(reconciler: Reconciler, failures: list[DeadLetter]) -> int:
    """Re-queue failures; return the exit code, 0 if all are in the queue again."""
    _await_dead_letters(reconciler, failures)
    moved = _move_messages(reconciler, failures)
    without_message = [failure for failure in failures if moved.isdisjoint(failure.versions)]
    lost = _requeue(reconciler, without_message)
    for failure in failures:
        if failure in lost:
            record = failure.run.record
            _set_outcome(reconciler, failure, failure.run.outcome, record["reason"] or run_summary.why(record))
            results.print(f"✗ {_name(failure)}: {_why_not(reconciler, failure)}", markup=False, style="red")
        else:
            how = "uploaded or queued again" if failure in without_message else "in the queue again"
            results.print(f"↻ {_name(failure)} {how}", markup=False)
    if not failures:
        results.print("No file has failed for good, so there is nothing to retry.")
    return 1 if lost else 0


def forget(
    ids: Ids,
    why: Annotated[str, typer.Option(help="The reason; `runner status` shows it.", show_default=False)],
    data: Data = None,
) -> None:
    """Drop failures: they leave the dead-letter queue, and `runner status` shows them as forgotten, with the reason.

    `runner forget 1f2e3d4c --why "instrument test"`
    """
    if not why.strip():
        raise StackError("--why is empty. Give the reason why these files are not needed: `runner status` shows it.")
    settings = chosen(data)
    described = stack_template.load(settings.root / "template.yaml")
    with opened(settings, described, running_at(settings)) as reconciler:
        _forget(reconciler, _selected(reconciler, ids), why.strip())


def _forget(reconciler: Reconciler, failures: list[DeadLetter], reason: str) -> None:
    dropped = {version for failure in failures for version in failure.versions}
    if reconciler.backend:  # without it there are no messages
        reconciler.backend.queues.take_dead(
            lambda message: not dropped.isdisjoint(message.versions),
            lambda message: all(_is_over(reconciler, version, dropped) for version in message.versions),
        )
    for failure in failures:
        _set_outcome(reconciler, failure, "forgotten", f"forgotten: {reason}")
        results.print(f"– {_name(failure)} is forgotten", markup=False)


def _is_over(reconciler: Reconciler, version: Version, dropped: set[Version]) -> bool:
    outcome = reconciler.state.versions.outcome(version)
    return version in dropped or (outcome in FINAL and outcome != "dead-lettered")


def _selected(reconciler: Reconciler, ids: Sequence[str] | None) -> list[DeadLetter]:
    """Return the failures with some IDs; all of them without IDs.

    Raises:
        StackError: there is no failure with an ID.
    """
    known = dead_lettered(reconciler.state)
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


def _await_dead_letters(reconciler: Reconciler, failures: list[DeadLetter]) -> None:
    """Wait until no message about the failures is in the queue."""
    wanted = {version for failure in failures for version in failure.versions}
    deadline = time.monotonic() + _MOVE_DELAY_S
    while reconciler.backend and time.monotonic() < deadline:
        if not any(wanted.intersection(message.versions) for message in reconciler.backend.queues.waiting()):
            return
        time.sleep(0.2)


def _move_messages(reconciler: Reconciler, failures: list[DeadLetter]) -> set[Version]:
    """Move messages from the dead-letter queue to the queue; return the versions that they are about."""
    wanted = {version: failure for failure in failures for version in failure.versions}
    moved: set[Version] = set()
    ticker = Ticker(say)

    def send(message: Message) -> bool:
        for version in message.versions:  # first, because a quick run could be recorded before this is
            if version in wanted:
                _set_outcome(reconciler, wanted[version], "retried", _RETRIED)
        if reconciler.backend:
            reconciler.backend.queues.send(message.body)
        moved.update(message.versions)
        ticker.tick(f"{len(moved)} of {len(wanted)} are in the queue again …")
        return True

    if reconciler.backend:
        reconciler.backend.queues.take_dead(lambda message: not wanted.keys().isdisjoint(message.versions), send)
    return moved


def _requeue(reconciler: Reconciler, failures: list[DeadLetter]) -> list[DeadLetter]:
    """Re-queue failures whose messages the emulator lost; return those that cannot be."""
    lost, ticker = [], Ticker(say)
    for number, failure in enumerate(failures, 1):
        _set_outcome(reconciler, failure, "retried", _RETRIED)
        requeued = [reconciler.requeue(version) for version in failure.versions]
        if not any(requeued):
            lost.append(failure)
        ticker.tick(f"{number} of {len(failures)} without a message are uploaded or queued again …")
    return lost


def _set_outcome(reconciler: Reconciler, failure: DeadLetter, outcome: Outcome, reason: str) -> None:
    for version in failure.versions:
        reconciler.state.versions.set_outcome(version, outcome, reason)


def _name(failure: DeadLetter) -> str:
    return f"{failure.id} {printable(title(failure.run.record))}"


def _why_not(reconciler: Reconciler, failure: DeadLetter) -> str:
    key = failure.versions[0][0]
    inbox = Inbox(reconciler.settings.inbox, reconciler.settings.ignored_names)
    if not key:
        return "the emulator was restarted and lost this message, which names no file. Drop it with `runner forget`."
    if inbox.stamp(key):
        return "the emulator was restarted and lost it, and the file in the inbox has changed: the new content runs."
    return f"the emulator was restarted and lost it, and it is not in {inbox.folder}. Put it there again."
