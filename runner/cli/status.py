"""`runner status`: the outcome of each file, newest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Annotated, Optional

import typer

from runner.cli.options import AsJson, Data, chosen
from runner.cli.output import print_json, results, table, text_of
from runner.messages.object_keys import printable, refused
from runner.messages.run_record import OPEN
from runner.messages.run_summary import file_name, title
from runner.services.reconciler.classify import STATES
from runner.services.reconciler.snapshot import finding_of
from runner.services.watcher.inbox import Inbox
from runner.services.watcher.survey import survey
from runner.settings import Settings
from runner.state.database import State
from runner.state.inbox_problems import Problem
from runner.state.runs import Run
from runner.state.versions import KnownVersion

PAGE = 50
# What each state may be in the table of versions.
_OUTCOMES = {
    "in progress": OPEN,
    "unaccounted": (*OPEN, "succeeded"),
}


@dataclass(frozen=True)
class Row:
    """One file, or one window of a schedule."""

    file: str
    outcome: str
    text: str
    etag: str = ""
    pipeline: str | None = None
    change: int | None = None
    """Rows with smaller numbers are older: `--before` continues after one."""


Name = Annotated[Optional[str], typer.Argument(help="Only files whose key contains this.", show_default=False)]  # noqa: UP045
Newest = Annotated[int, typer.Option("-n", "--newest", min=1, help="How many files.")]
Everything = Annotated[bool, typer.Option("--all", help="All files, however many.")]
PipelineName = Annotated[
    str | None, typer.Option("--pipeline", help="Only files of this pipeline.", show_default=False)
]  # noqa: UP045


def status(
    name: Name = None,
    newest: Newest = PAGE,
    everything: Everything = False,
    outcome: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help=f"Only these: {', '.join((*STATES, 'unaccounted'))}. Repeatable.", show_default=False),
    ] = None,
    pipeline: PipelineName = None,
    before: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Only files older than this: the last `change` of the page before.", show_default=False),
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show the outcome of each file, newest first.

    `runner status --outcome dead-lettered` for what failed for good; `runner status z05 --all` for all files of a buoy.
    """
    wanted = set(outcome or ())
    if unknown := wanted - {*STATES, "unaccounted"}:
        raise typer.BadParameter(
            f"{unknown.pop()!r} is not an outcome. Use one of: {', '.join((*STATES, 'unaccounted'))}."
        )
    settings = chosen(data)
    count = None if everything else newest
    with closing(State(settings.state)) as state:
        found = rows(settings, state, name or "", wanted, pipeline, before)
        page = list(islice(found, count))
        is_more = count is not None and next(found, None) is not None
    if as_json:
        print_json([asdict(row) for row in page])
    elif page:
        results.print(table((row.file, row.outcome, row.text) for row in page))
        if is_more:
            results.print(
                f"\nThe newest {len(page)} files. More: `runner status --all`, or a NAME, --outcome, --pipeline."
            )
    elif name or wanted or pipeline:
        results.print("No file matches.")
    else:
        results.print(f"No file in {settings.inbox} yet. `runner up`, then drop one there.", markup=False)


def rows(
    settings: Settings, state: State, name: str = "", states: Iterable[str] = (), pipeline: str | None = None,
    before: int | None = None,
) -> Iterator[Row]:  # fmt: skip
    """Return a row for each file, those that are not uploaded first, then the newest change first."""
    wanted = set(states)
    if before is None and pipeline is None and (not wanted or wanted & {"in progress", "refused", "unaccounted"}):
        yield from (row for row in _not_uploaded(settings, state, name) if not wanted or row.outcome in wanted)
    outcomes = {outcome for state_name in wanted for outcome in _OUTCOMES.get(state_name, (state_name,))}
    problems = state.versions.unaccounted()
    for known in state.versions.newest(before, outcomes, pipeline, name):
        row = _row(settings, state, known, problems.get(known.job))
        if not wanted or row.outcome in wanted:
            yield row


def _not_uploaded(settings: Settings, state: State, name: str) -> Iterator[Row]:
    """Return the files of the inbox whose present content was not uploaded."""
    uploads = state.uploads.each()
    uploaded = next(uploads, None)
    inbox = Inbox(settings.inbox, settings.ignored_names)
    for key, found in survey(inbox, state.inbox_problems.all()):
        while uploaded and uploaded.key < key:
            uploaded = next(uploads, None)
        if uploaded and (uploaded.key, uploaded.stamp) == (key, found):
            continue
        if name not in key:
            continue
        if isinstance(found, Problem):
            yield Row(printable(key), "refused" if found.is_refused else "unaccounted", found.reason)
        else:
            reason = refused(key)
            yield Row(printable(key), "refused" if reason else "in progress", reason or "not yet uploaded")


def _row(settings: Settings, state: State, known: KnownVersion, problem: str | None) -> Row:
    run = state.runs.get(known.run_id) if known.run_id else None
    finding = finding_of(known, run, settings.outputs, problem)
    pipeline = known.pipeline if known.config and state.versions.has_several(known.version) else None
    file = file_name(known.key or (title(run.record) if run else ""), pipeline)
    text = _text(known, run) if finding.state == known.outcome or finding.state == "in progress" else finding.reason
    return Row(file, finding.state, text, known.etag, known.pipeline, known.change)


def _text(known: KnownVersion, run: Run | None) -> str:
    """Return what a table says about a version."""
    if run is None or known.outcome != run.outcome:  # a person decided since, or the run read a newer version
        return known.reason or "uploaded, not yet run"
    return text_of(run)
