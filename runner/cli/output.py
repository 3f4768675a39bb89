"""Text for people: results go to standard output, progress and errors to standard error."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from runner.messages.run_summary import made, why
from runner.state.runs import Run

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

# Tables in a file or a pipe are wide, so that no name is broken.
_WIDTH = None if sys.stdout.isatty() else 200

results = Console(highlight=False, soft_wrap=True, width=_WIDTH)
progress = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Print a line of progress, without markup."""
    progress.print(text, markup=False)


def print_json(value: Any) -> None:
    """Print a result as indented JSON."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


@contextlib.contextmanager
def only_json(as_json: bool) -> Iterator[None]:
    """With --json, send what user code prints during the body to standard error."""
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        yield


# The outcomes of runs, and the states of a file that has none yet.
MARKS = {
    "succeeded": "✔", "replaced": "–", "skipped": "–", "forgotten": "–", "failed": "✗", "dead-lettered": "✗",
    "refused": "✗", "in progress": "…", "uploaded": "…", "retried": "↻", "unaccounted": "✗",
}  # fmt: skip


COLOURS = {
    "succeeded": "green", "replaced": "yellow", "skipped": "yellow", "forgotten": "yellow", "failed": "red",
    "dead-lettered": "red", "refused": "red", "in progress": "cyan", "uploaded": "cyan", "retried": "cyan",
    "unaccounted": "red",
}  # fmt: skip


def table(rows: Iterable[tuple[str, str, str]], title: str | None = None) -> Table:
    """Return a table of files, each with its outcome and a text."""
    from rich.text import Text

    cells = (
        (name, Text(f"{MARKS.get(outcome, '')} {outcome}", COLOURS.get(outcome, "white")), text)
        for name, outcome, text in rows
    )
    return grid(("file", "outcome", "outputs or reason"), cells, title)


def grid(headings: Iterable[str], rows: Iterable[Iterable[str | Text]], title: str | None = None) -> Table:
    """Return a table that breaks no line of the terminal and reads no markup in its cells."""
    from rich.table import Table
    from rich.text import Text

    result = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for heading in headings:
        result.add_column(heading, overflow="fold")
    for cells in rows:
        result.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells))
    return result


def text_of(run: Run) -> str:
    """Return what a run made or why it did not succeed, in one line."""
    if run.outcome == "succeeded":
        return f"{made(run.record)} in {run.record['durations_s'].get('total', 0):.2f} s"
    tries = f" (tried {run.attempt} times)" if run.attempt > 1 else ""
    return why(run.record) + tries


def short_path(path: Path) -> str:
    """Return a path relative to the current folder if it is below it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def list_outputs(folder: Path, runs: Iterable[Run]) -> None:
    """Print the paths of all outputs of runs in the outputs folder."""
    for run in runs:
        for output in run.record["outputs"]:
            results.print(f"  {short_path(folder / output['key'])}", markup=False)
