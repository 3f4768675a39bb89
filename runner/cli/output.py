"""Where text for people goes: results to standard output, what happens meanwhile to standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console

from runner.messages.run_summary import made, why
from runner.state.runs import Run

if TYPE_CHECKING:
    from rich.table import Table

# Into a file or a pipe tables are written wide, so that no name is broken.
_WIDTH = None if sys.stdout.isatty() else 200

results = Console(highlight=False, soft_wrap=True, width=_WIDTH)
progress = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """A line about what happens, as it is."""
    progress.print(text, markup=False)


# Outcomes of runs, and what a file can be before it has one.
MARKS = {
    "succeeded": "✔", "skipped": "–", "forgotten": "–", "failed": "✗", "dead-lettered": "✗", "refused": "✗",
    "in progress": "…", "uploaded": "…", "retried": "…", "unaccounted": "✗",
}  # fmt: skip


COLOURS = {
    "succeeded": "green", "skipped": "yellow", "forgotten": "yellow", "failed": "red", "dead-lettered": "red",
    "refused": "red", "in progress": "cyan", "uploaded": "cyan", "retried": "cyan", "unaccounted": "red",
}  # fmt: skip


def table(rows: Iterable[tuple[str, str, str]], title: str | None = None) -> Table:
    """A table of files, their outcome and what there is to say about it."""
    from rich.markup import escape
    from rich.table import Table

    result = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for heading in ("file", "outcome", "outputs or reason"):
        result.add_column(heading, overflow="fold")
    for name, outcome, text in rows:
        colour = COLOURS.get(outcome, "white")
        result.add_row(escape(name), f"[{colour}]{MARKS.get(outcome, '')} {outcome}[/{colour}]", escape(text))
    return result


def text_of(run: Run) -> str:
    """What there is to say about a run, in one line."""
    if run.outcome in ("forgotten", "retried"):
        return run.record["reason"] or ""
    if run.outcome == "succeeded":
        return f"{made(run.record)} in {run.record['durations_s'].get('total', 0):.2f} s"
    tries = f" (tried {run.attempt} times)" if run.attempt > 1 else ""
    return why(run.record) + tries
