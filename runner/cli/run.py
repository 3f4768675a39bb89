"""What a person does with a stack: keep it up, send files through it, see the demonstration."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from runner.aws import clients
from runner.cli.output import results, say, table, text_of
from runner.cli.submit import default_key, submit
from runner.errors import StackError, StoppedError
from runner.function import routing
from runner.messages import run_summary
from runner.messages.object_keys import printable, refused
from runner.messages.run_record import FINAL
from runner.settings import Settings
from runner.stack import debugger, docker_compose, docker_engine, embedded
from runner.stack.supervisor import Stop
from runner.state.database import State
from runner.state.runs import Run
from runner.state.stack_lock import running_at
from runner.template import stack_template

_SAMPLES = Path("data/samples")


def _stop() -> Stop:
    return Stop(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def up(settings: Settings, *, with_docker: bool | None) -> None:
    """Run the stack until somebody ends it.

    Args:
        with_docker: None chooses Docker where it can be used.
    """
    stop, began = _stop(), time.monotonic()
    running = docker_compose.running if _choose(with_docker) else embedded.running
    try:
        with running(settings, say, stop) as stack:
            say(
                f"ready in {time.monotonic() - began:.1f} s: S3 and SQS at {stack.endpoint_url}\n"
                f"  drop files into  {settings.inbox}\n  outputs come to  {settings.outputs}\n"
                "  Ctrl-C ends it; `runner status` and `runner logs` in another terminal show what became of each file"
                + debugger.hint(settings)
            )
            while True:
                stack.maintain()
                stop.pause(0.1)
    except StoppedError as request:
        say(str(request))


def _choose(with_docker: bool | None) -> bool:
    """Whether to use Docker; says why."""
    if with_docker is None:
        reason = docker_engine.unavailable_reason()
        if reason:
            say(f"without Docker, because {reason}")
        else:
            say("with Docker, because an engine answers (--embedded does without; images are built if they changed) …")
        return reason is None
    say("with Docker, as asked …" if with_docker else "without Docker, as asked …")
    return with_docker


@contextmanager
def _stack(settings: Settings, stop: Stop) -> Iterator[str]:
    """The endpoint of the stack that runs on this data folder, else of one started for the body."""
    endpoint_url = running_at(settings)
    if endpoint_url:
        yield endpoint_url
        return
    say("starting a stack for this run (keep one with `runner up`) …")
    with embedded.running(replace(settings, endpoint_url=None), say, stop, quiet=True, watch=False) as stack:
        yield stack.endpoint_url


def run(settings: Settings, files: list[Path], *, as_json: bool) -> int:
    """Send files through the whole path; gives the exit code."""
    stop = _stop()
    routes = routing.load(settings.root)
    folders = [settings.inbox, settings.root / _SAMPLES]
    pipelines = sorted({route.pipeline for route in routes.routes})
    keyed: dict[str, Path] = {}
    for path in files:
        key = default_key(path, folders, pipelines)
        if not path.samefile(keyed.setdefault(key, path)):
            raise StackError(f"{keyed[key]} and {path} would get the same key, {key}. Run one after the other.")
        if reason := refused(key):
            raise StackError(f"{printable(key)} cannot be sent: {reason}")
    described = stack_template.with_debug_timeout(stack_template.load(settings.root / "template.yaml"), settings)
    try:
        with closing(State(settings.state)) as state, _stack(settings, stop) as endpoint_url:
            ended = submit(clients.local_s3(endpoint_url), described, state, keyed, stop, say)
    except StoppedError as request:
        say(str(request))
        return 130
    if as_json:
        sys.stdout.write(json.dumps([run.record for run in ended.values()], indent=2) + "\n")
    else:
        results.print(table((key, run.outcome, text_of(run)) for key, run in ended.items()))
        _list_outputs(settings, ended.values())
        _explain(ended.values())
    return 0 if all(run.outcome == "succeeded" for run in ended.values()) else 1


def _explain(runs: Iterable[Run]) -> None:
    """What a table has no room for: where each failure was raised, and what to do."""
    for run in runs:
        if error := run.record["error"]:
            results.print(
                f"\n✗ {run_summary.keys(run.record)}{run_summary.where(run.record)}", markup=False, style="red"
            )
            for line in [*run_summary.told(error)[1:], run_summary.next_step(error)]:
                results.print(f"    {line}", markup=False)


def _list_outputs(settings: Settings, runs: Iterable[Run]) -> None:
    for run in runs:
        for output in run.record["outputs"]:
            results.print(f"  {_short(settings.outputs / output['key'])}", markup=False)


def _short(path: Path) -> str:
    """A path as short as it can be written from here."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def demo(settings: Settings) -> int:
    """Drop the shipped buoy samples into an inbox of the demo's own and show what comes out; gives the exit code."""
    stop = _stop()
    settings = replace(settings, data=settings.root / "data" / "demo", endpoint_url=None)
    shutil.rmtree(settings.data, ignore_errors=True)
    samples = sorted((settings.root / _SAMPLES / "a2e_buoy_ingest").glob("*/*.zip"))
    began = time.monotonic()
    say("starting S3, SQS and the Lambda emulators …")
    try:
        with embedded.running(settings, say, stop, quiet=True) as stack, closing(State(settings.state)) as state:
            say(f"ready in {time.monotonic() - began:.1f} s")
            for sample in samples:
                target = settings.inbox / sample.relative_to(settings.root / _SAMPLES)
                target.parent.mkdir(parents=True)
                shutil.copy(sample, target)
                say(f"dropped {_short(target)}")
            runs = _await_runs(state, len(samples), stack, stop)
    except StoppedError:
        return 130
    results.print(table((run_summary.keys(run.record), run.outcome, text_of(run)) for run in runs))
    results.print("\nNetCDF files and plots:")
    _list_outputs(settings, runs)
    results.print(
        "\nNext: `scripts/up`, then drop your own files into data/inbox. How to add your pipeline: README.md",
        markup=False,
    )
    return 0 if len(runs) == len(samples) and all(run.outcome == "succeeded" for run in runs) else 1


def _await_runs(state: State, count: int, stack: embedded.EmbeddedBackend, stop: Stop) -> list[Run]:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        stack.maintain()
        ended = [run for run in state.runs.after(0) if run.outcome in FINAL and run.record["inputs"]]
        if len(ended) >= count:
            return ended
        stop.pause(0.05)
    raise StackError(f"The samples were not through after two minutes. Logs: {stack.settings.state / 'logs'}")
