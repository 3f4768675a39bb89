"""Tries again what has failed for good, or gives it up.

Message by message, and not by SQS's StartMessageMoveTask: in LocalStack 4.13.1 a message that was moved goes on
counting its attempts, so that the first failure would be taken for its last. On AWS they are counted anew.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Annotated, Optional

import typer

from runner.aws.sqs import Message
from runner.cli.failures import Failure, dead_lettered
from runner.cli.options import Data, chosen
from runner.cli.output import results, say
from runner.errors import SettingsError, StackError
from runner.messages.object_keys import printable
from runner.messages.run_record import FINAL, Outcome, Version, new_record
from runner.messages.run_summary import title
from runner.services.progress import Ticker
from runner.services.reconciler.repair import Books, opened
from runner.services.watcher.inbox import Inbox
from runner.settings import Settings
from runner.state.runs import Run
from runner.state.stack_lock import running_at
from runner.template import stack_template

# What has used up its attempts comes into the dead-letter queue when somebody receives it the next time.
_ON_ITS_WAY_S = 5.0


def retry_now(settings: Settings, ids: Sequence[str], *, everything: bool) -> int:
    """Give failures to the queue again; gives the exit code, 0 when all of them could be.

    Raises:
        StackError: no stack runs, or there is no failure of that name.
    """
    endpoint_url = running_at(settings)
    if endpoint_url is None:
        raise StackError(f"No stack runs on {settings.data}, so nothing can be tried. `runner up`, then this again.")
    with opened(settings, stack_template.load(settings.root / "template.yaml"), endpoint_url) as books:
        chosen = _chosen(books, ids, everything=everything)
        _await_dead_letters(books, chosen)
        for failure in chosen:  # before the messages move: else a quick run would end before this is entered
            _enter(books, failure, "retried", "tried again at somebody's request")
        moved = _redrive(books, chosen)
        left = [failure for failure in chosen if moved.isdisjoint(failure.versions)]
        lost = _give_again(books, left)
        for failure in lost:
            _enter(books, failure, failure.run.outcome, failure.run.record["reason"])
            results.print(f"✗ {_name(failure)}: {_why_not(books, failure)}", markup=False, style="red")
    for failure in chosen:
        if failure not in lost:
            how = "came anew from the bucket or the inbox" if failure in left else "is in the queue again"
            results.print(f"↻ {_name(failure)} {how}", markup=False)
    if not chosen:
        results.print("Nothing has failed for good, so there is nothing to try again.")
    return 1 if lost else 0


def forget_now(settings: Settings, ids: Sequence[str], why: str) -> None:
    """Give failures up: out of the dead-letter queue, and with the reason into the history.

    Raises:
        StackError: there is no failure of that name, or no reason.
    """
    if not why.strip():
        raise StackError("--why is empty. Say why these files are not needed: it is kept in the history.")
    with opened(settings, stack_template.load(settings.root / "template.yaml"), running_at(settings)) as books:
        chosen = _chosen(books, ids, everything=False)
        given_up = {version for failure in chosen for version in failure.versions}
        if books.backend:  # else LocalStack has forgotten it already
            books.backend.queues.take_dead(
                lambda message: not given_up.isdisjoint(message.versions),
                lambda message: all(_is_over(books, version, given_up) for version in message.versions),
            )
        for failure in chosen:
            _enter(books, failure, "forgotten", f"forgotten: {why.strip()}")
            results.print(f"– {_name(failure)} is forgotten", markup=False)


def _is_over(books: Books, version: Version, given_up: set[Version]) -> bool:
    outcome = books.history.outcome(*version)
    return version in given_up or (outcome in FINAL and outcome != "dead-lettered")


def _chosen(books: Books, ids: Sequence[str], *, everything: bool) -> list[Failure]:
    known = dead_lettered(books.history)
    if everything:
        return known
    by_id = {failure.id: failure for failure in known}
    if not by_id.keys() >= set(ids):  # what is unaccounted for has an ID too
        by_id |= {failure.id: failure for failure in _unaccounted(books)}
    for name in ids:
        if name not in by_id:
            raise StackError(f"No failure has the ID {name!r}. `runner failures` and `runner reconcile` list them.")
    return [by_id[name] for name in dict.fromkeys(ids)]


def _unaccounted(books: Books) -> list[Failure]:
    found = []
    for finding in books.look().unaccounted():
        version = (finding.key, finding.etag)
        inputs = [{"bucket": books.template.source_bucket, "key": finding.key, "size": None, "etag": finding.etag}]
        unknown = Run(0, 0.0, "failed", 0, new_record("failed", "", inputs=inputs if finding.key else []))
        found.append(Failure((version,), books.history.of(*version) or unknown))
    return found


def _await_dead_letters(books: Books, chosen: list[Failure]) -> None:
    wanted = {version for failure in chosen for version in failure.versions}
    deadline = time.monotonic() + _ON_ITS_WAY_S
    while books.backend and time.monotonic() < deadline:
        if not any(wanted.intersection(message.versions) for message in books.backend.queues.waiting()):
            return
        time.sleep(0.2)


def _redrive(books: Books, chosen: list[Failure]) -> set[Version]:
    """Move messages from the dead-letter queue to the queue; gives the versions that they are about."""
    wanted = {version for failure in chosen for version in failure.versions}
    moved: set[Version] = set()
    ticker = Ticker(say)

    def send(message: Message) -> bool:
        if books.backend:
            books.backend.queues.send(message.body)
        moved.update(message.versions)
        ticker.tick(f"{len(moved)} of {len(wanted)} are in the queue again …")
        return True

    if books.backend:
        books.backend.queues.take_dead(lambda message: not wanted.isdisjoint(message.versions), send)
    return moved


def _give_again(books: Books, left: list[Failure]) -> list[Failure]:
    """Bring back what LocalStack has lost; gives what cannot be."""
    lost, ticker = [], Ticker(say)
    for number, failure in enumerate(left, 1):
        given = [books.give_again(*version) for version in failure.versions]
        if not any(given):
            lost.append(failure)
        ticker.tick(f"{number} of {len(left)} that LocalStack had lost are looked for again …")
    return lost


def _enter(books: Books, failure: Failure, outcome: Outcome, reason: str | None) -> None:
    run = failure.run
    books.history.enter({**run.record, "reason": reason}, failure.versions, outcome, run.attempt)


def _name(failure: Failure) -> str:
    return f"{failure.id} {printable(title(failure.run.record))}"


def _why_not(books: Books, failure: Failure) -> str:
    key = failure.versions[0][0]
    inbox = Inbox(books.settings.inbox, books.settings.ignored_names)
    if not key:
        return "LocalStack has lost this message, and it named no file. `runner forget` gives it up."
    if inbox.stamp(key):
        return "LocalStack has lost it, and the file in the inbox has changed since: it is processed by itself."
    return f"LocalStack has lost it, and it is not in {inbox.folder} any more. Put it there again."


Ids = Annotated[list[str], typer.Argument(help="IDs as `runner failures` shows them.", show_default=False)]


SomeIds = Annotated[
    Optional[list[str]],  # noqa: UP045  Typer reads this at run time
    typer.Argument(help="IDs as `runner failures` shows them.", show_default=False),
]


def retry(
    ids: SomeIds = None,
    everything: Annotated[bool, typer.Option("--all", help="All that has failed for good.")] = False,
    data: Data = None,
) -> None:
    """Try failures again, once what was wrong is mended.

    `runner retry 1f2e3d4c` for one, `runner retry --all` for all. What LocalStack has lost comes from the inbox again.
    """

    if bool(ids) == everything:
        raise SettingsError("Say which failures to try again: `runner retry ID …`, or `runner retry --all`.")
    sys.exit(retry_now(chosen(data), ids or [], everything=everything))


def forget(
    ids: Ids,
    why: Annotated[str, typer.Option(help="The reason; it is kept in the history.", show_default=False)],
    data: Data = None,
) -> None:
    """Give failures up: they leave the dead-letter queue; `runner status` shows them as forgotten, with the reason."""

    forget_now(chosen(data), ids, why)
