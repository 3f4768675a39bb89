"""`runner replay`: run an event again, through the queue or in this process."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace
from typing import Annotated

import typer

from runner.aws import clients
from runner.cli.events import Number, as_lambda_receives_it, find
from runner.cli.options import AsJson, Data, chosen
from runner.cli.output import MARKS, only_json, print_json, results
from runner.cli.submit import run_message
from runner.messages import run_summary
from runner.messages.run_record import RunRecord
from runner.settings import Settings
from runner.state import stack_lock
from runner.template import stack_template


def replay(
    number: Number,
    direct: Annotated[bool, typer.Option("--direct", help="Run in this process, where breakpoints stop.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Run an event again, on the running stack.

    With `--direct` the handler runs in this process, and a breakpoint in a pipeline stops it.

    Example: `runner replay 12 --direct`
    """
    run = run_in_this_process if direct else run_through_the_queue
    raise typer.Exit(run(chosen(data), number, as_json=as_json))


def run_through_the_queue(settings: Settings, number: int, *, as_json: bool) -> int:
    """Send an event to the running stack's queue again, print its runs and return the exit code.

    Raises:
        SettingsError: there is no such event.
        StackError: no stack runs on the data folder.
    """
    template = stack_template.with_debug_timeout(stack_template.load_for(settings), settings)
    return run_message(settings, template, find(settings, number).body or "", as_json=as_json)


def run_in_this_process(settings: Settings, number: int, *, as_json: bool) -> int:
    """Call the handler with an event in this process, print its runs and return the exit code.

    It reads from and writes to the S3 of the running stack. Neither the queue nor the run records change.

    Raises:
        SettingsError: there is no such event.
        StackError: no stack runs on the data folder.
    """
    template = stack_template.load_for(settings)
    event = as_lambda_receives_it(find(settings, number), template)
    _become_lambda(settings, template, stack_lock.require_running(settings))
    from runner.function.handler import handler

    with only_json(as_json):
        runs: list[RunRecord] = handler(event, SimpleNamespace(aws_request_id="replayed"))["runs"]
    if as_json:
        print_json(runs)
    else:
        _print(runs)
    return 0 if all(run["status"] == "succeeded" for run in runs) else 1


def _become_lambda(settings: Settings, template: stack_template.StackTemplate, endpoint_url: str) -> None:
    """Set this process's environment to the function's, with the local endpoint."""
    own = {name: value for name, value in template.environment.items() if not value.startswith("/tmp")}  # noqa: S108
    os.environ.update(own)
    for name in filter(clients.leads_away, list(os.environ)):
        del os.environ[name]
    os.environ.update(clients.local_environment(endpoint_url))
    # The handler logs its run records; this command prints them.
    os.environ.update({"LAMBDA_TASK_ROOT": str(settings.root), "LOG_LEVEL": "CRITICAL"})
    sys.path.insert(0, str(settings.root))


def _print(runs: list[RunRecord]) -> None:
    for run in runs:
        text = run_summary.why(run) or run_summary.made(run)
        results.print(f"{MARKS[run['status']]} {run_summary.title(run)}: {text}", markup=False)
        if run["error"]:
            results.print(run["error"]["traceback"], markup=False)
