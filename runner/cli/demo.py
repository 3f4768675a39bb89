"""`runner demo`: send the sample data through a stack of its own."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.interrupt import interruptible
from runner.cli.options import AsJson, Emulator, chosen
from runner.cli.output import list_outputs, print_json, results, say, short_path, table, text_of
from runner.errors import StackError, StoppedError
from runner.messages import run_summary
from runner.messages.run_record import FINAL
from runner.settings import CHECKOUT, Settings
from runner.stack.supervisor import Stop
from runner.state.database import State
from runner.state.runs import Run

if TYPE_CHECKING:
    from runner.stack.embedded import EmbeddedBackend

_PATIENCE_S = 120


def demo(
    emulator: Emulator = None,
    page: Annotated[bool, typer.Option("--page", help="Serve the live page, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send sample data through a stack of its own.

    The samples are one day of data from each of two buoys. Their NetCDF files and plots go to `data/demo/outputs`.

    Example: `runner demo --page`, and open the address that it prints.
    """
    raise typer.Exit(send_samples(chosen(emulator=emulator), as_json=as_json, has_page=page))


def send_samples(settings: Settings, *, as_json: bool, has_page: bool = False) -> int:
    """Drop the buoy samples into the demo's own inbox, print their outputs and return the exit code."""
    root = settings.root if (settings.root / "data/samples").is_dir() else CHECKOUT  # they are only in the checkout
    settings = replace(settings, root=root, data=root / "data" / "demo", endpoint_url=None, has_page=has_page)
    shutil.rmtree(settings.data, ignore_errors=True)
    with interruptible() as stop, _running(settings, stop) as stack:
        count = _drop_samples(settings)
        with closing(State(settings.state)) as state:
            runs = _await_runs(state, count, stack, stop)
        if as_json:
            print_json([run.record for run in runs])
        else:
            _print(settings, runs)
        if has_page:
            _serve(stack, stop)
    return 0 if len(runs) == count and all(run.outcome == "succeeded" for run in runs) else 1


@contextmanager
def _running(settings: Settings, stop: Stop) -> Iterator[EmbeddedBackend]:
    from runner.stack import embedded

    began = time.monotonic()
    say("starting S3, SQS and the Lambda emulators …")
    with embedded.running(settings, say, stop, quiet=True) as stack:
        say(f"ready in {time.monotonic() - began:.1f} s")
        yield stack


def _drop_samples(settings: Settings) -> int:
    """Copy the samples into the inbox and return how many there are."""
    folder = settings.root / "data" / "samples"
    samples = sorted((folder / "a2e_buoy_ingest").glob("*/*.zip"))
    for sample in samples:
        target = settings.inbox / sample.relative_to(folder)
        target.parent.mkdir(parents=True)
        shutil.copy(sample, target)
        say(f"dropped {short_path(target)}")
    return len(samples)


def _serve(stack: EmbeddedBackend, stop: Stop) -> None:
    """Keep the stack running until Ctrl-C, which is how this ends."""
    from runner.stack import live_page

    address = live_page.address(stack.settings)
    say(f"The live page shows them: {address}\nDrop files of your own onto it. Ctrl-C stops it.")
    with suppress(StoppedError):
        while True:
            stack.maintain()
            stop.pause(0.1)


def _await_runs(state: State, count: int, stack: EmbeddedBackend, stop: Stop) -> list[Run]:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        stack.maintain()
        final = [run for run in state.runs.after(0) if run.outcome in FINAL and run.record["inputs"]]
        if len(final) >= count:
            return final
        stop.pause(0.05)
    raise StackError(f"The samples were not processed within {_PATIENCE_S} s. Logs: {stack.settings.state / 'logs'}")


def _print(settings: Settings, runs: list[Run]) -> None:
    results.print(table((run_summary.keys(run.record), run.outcome, text_of(run)) for run in runs))
    results.print("\nNetCDF files and plots:")
    list_outputs(settings.outputs, runs)
    results.print(
        "\nNext: run `scripts/up`, then drop your own files into data/inbox. To add your pipeline, see README.md.",
        markup=False,
    )
