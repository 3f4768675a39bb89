"""`runner run`: send files through the complete path and print the outcome of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import typer

from runner.aws import clients
from runner.cli.interrupt import interruptible
from runner.cli.options import AsJson, Concurrency, Data, Emulator, Files, chosen
from runner.cli.output import list_outputs, print_json, results, say, table, text_of
from runner.cli.submit import keys_of, submit
from runner.errors import StackError
from runner.messages import run_summary
from runner.messages.object_keys import printable, refused
from runner.settings import Settings
from runner.stack.supervisor import Stop
from runner.state.database import State
from runner.state.runs import Run
from runner.state.stack_lock import running_at
from runner.template import stack_template


def run(
    files: Files,
    concurrency: Concurrency = None,
    emulator: Emulator = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Send files through the path; print each outcome.

    The path is S3, queue, Lambda and S3, as on AWS. The command uses the stack that runs on this data folder, or starts
    one until the files are processed. It exits with 0 only if every file succeeded.

    Example: `runner run data/samples/a2e_buoy_ingest/*/*.zip` sends one day from each of two buoys.
    """
    settings = chosen(data, concurrency, emulator)
    ignored = [name for name, value in (("--concurrency", concurrency), ("--emulator", emulator)) if value]
    if ignored and running_at(settings):
        say(f"{' and '.join(ignored)}: no effect, because the stack on this folder is already running.")
    raise typer.Exit(send_files(settings, files, as_json=as_json))


def send_files(settings: Settings, files: list[Path], *, as_json: bool) -> int:
    """Send files through the complete path, print their outcomes and return the exit code.

    Raises:
        StackError: two files have the same key, S3 refuses a name, or the stack does not answer.
    """
    keyed = _keyed(settings, files)
    template = stack_template.with_debug_timeout(stack_template.load_for(settings), settings)
    if template.pause_reason:
        raise StackError(f"No file would be processed. {template.pause_reason}")
    with (
        interruptible() as stop,
        closing(State(settings.state)) as state,
        _running_stack(settings, stop) as endpoint_url,
    ):
        runs = submit(clients.local_s3(endpoint_url), template, state, keyed, stop, say)
    if as_json:
        print_json([run.record for run in runs.values()])
    else:
        results.print(table((key, run.outcome, text_of(run)) for key, run in runs.items()))
        list_outputs(settings.outputs, runs.values())
        _print_errors(runs.values())
    return 0 if all(run.outcome == "succeeded" for run in runs.values()) else 1


def _keyed(settings: Settings, files: list[Path]) -> Mapping[str, Path]:
    keyed: dict[str, Path] = {}
    for path, key in zip(files, keys_of(settings, files), strict=True):
        if not path.samefile(keyed.setdefault(key, path)):
            raise StackError(f"{keyed[key]} and {path} would get the same key, {key}. Run one after the other.")
        if reason := refused(key):
            raise StackError(f"{printable(key)} cannot be sent: {reason}")
    return keyed


@contextmanager
def _running_stack(settings: Settings, stop: Stop) -> Iterator[str]:
    """Yield the endpoint of the stack on this data folder; if none runs, of one started for the body."""
    endpoint_url = running_at(settings)
    if endpoint_url:
        yield endpoint_url
        return
    from runner.stack import embedded

    say("starting a stack for this run (`runner up` keeps one running) …")
    with embedded.running(replace(settings, endpoint_url=None), say, stop, quiet=True, watch=False) as stack:
        yield stack.endpoint_url


def _print_errors(runs: Iterable[Run]) -> None:
    for run in runs:
        if error := run.record["error"]:
            heading = f"\n✗ {run_summary.keys(run.record)}{run_summary.where(run.record)}"
            results.print(heading, markup=False, style="red")
            for line in [*run_summary.error_lines(error)[1:], run_summary.next_step(error)]:
                results.print(f"    {line}", markup=False)
