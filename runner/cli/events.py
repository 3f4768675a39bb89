"""Events again: `runner events` lists and saves what the queue gave out, `runner replay` runs it once more."""

from __future__ import annotations

import json
import os
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Optional

import typer

from runner.aws import clients
from runner.aws.sqs import sqs_event
from runner.cli import schedules
from runner.cli.options import AsJson, Data, Time, chosen
from runner.cli.output import MARKS, results
from runner.errors import EventError, SettingsError
from runner.messages import run_summary, s3_events
from runner.messages.object_keys import printable
from runner.messages.redaction import redacted
from runner.messages.run_record import RunRecord
from runner.settings import Settings
from runner.state import stack_lock
from runner.state.database import State
from runner.state.received_events import ReceivedEvent
from runner.template import stack_template


def show(settings: Settings, newest: int, *, as_json: bool) -> None:
    """Print the latest events, what each tells of and how its last run ended."""
    with closing(State(settings.state)) as state:
        found = state.received_events.newest(newest)
        runs = {event.message_id: state.runs.of_message(event.message_id) for event in found}
        outcomes = {message_id: own[-1].outcome for message_id, own in runs.items() if own}
    if as_json:
        entries = [{**vars(event), "outcome": outcomes.get(event.message_id)} for event in found]
        sys.stdout.write(json.dumps(entries, indent=2) + "\n")
    elif not found:
        results.print("The queue gave out no event yet. `runner up`, then drop a file.")
    for event in [] if as_json else found:
        seen_at = datetime.fromtimestamp(event.received_at).isoformat(" ", "seconds")
        outcome = outcomes.get(event.message_id)
        mark = f"{MARKS[outcome]} {outcome}" if outcome else "no run"
        results.print(f"{event.id:>6}  {seen_at}  {mark:<13}  {told(event.body)}", markup=False)


def told(body: str | None) -> str:
    """What an event tells of, in one line."""
    if body is None:
        return "too large to keep"
    try:
        parsed = s3_events.parse(body)
    except EventError as error:
        return redacted(str(error)).splitlines()[0]
    found = [printable(item.key) for item in parsed.objects]
    found += [f"{item.schedule} {item.window}" for item in parsed.scheduled]
    return ", ".join(found + [f"{skip.event_name} (nothing to run)" for skip in parsed.skips])


def save_event(settings: Settings, number: int, path: Path) -> None:
    """Write an event to a JSON file, as Lambda gets it: for `invoke` in tests and for `sam local invoke --event`.

    Raises:
        SettingsError: there is no such event, or there is such a file.
    """
    if path.exists():
        raise SettingsError(f"{path} is there already. Remove it, or choose another name.")
    path.parent.mkdir(parents=True, exist_ok=True)
    event = _as_lambda_gets_it(_event(settings, number), stack_template.load(settings.root / "template.yaml"))
    path.write_text(json.dumps(event, indent=2) + "\n", encoding="utf-8")
    results.print(f"saved {path}", markup=False)


def replay_event(settings: Settings, number: int, *, as_json: bool) -> int:
    """Send an event to the running stack's queue again and wait; gives the exit code.

    Raises:
        SettingsError: there is no such event.
        StackError: no stack runs on the data folder.
    """
    described = stack_template.with_debug_timeout(stack_template.load(settings.root / "template.yaml"), settings)
    return schedules.send(settings, described, _event(settings, number).body or "", as_json=as_json)


def run_in_process(settings: Settings, number: int, *, as_json: bool) -> int:
    """Give an event to the handler in this process, where a debugger or breakpoint() stops; gives the exit code.

    It reads and writes the S3 of the running stack; neither queue nor history learn of it.

    Raises:
        SettingsError: there is no such event.
        StackError: no stack runs on the data folder.
    """
    described = stack_template.load(settings.root / "template.yaml")
    event = _as_lambda_gets_it(_event(settings, number), described)
    endpoint_url = stack_lock.require_running(settings)
    os.environ.update({name: value for name, value in described.environment.items() if not value.startswith("/tmp")})  # noqa: S108
    for name in filter(clients.leads_away, list(os.environ)):
        del os.environ[name]
    os.environ.update(clients.local_environment(endpoint_url))
    os.environ.update({"LAMBDA_TASK_ROOT": str(settings.root), "LOG_LEVEL": "CRITICAL"})  # the record is shown below
    sys.path.insert(0, str(settings.root))
    from runner.function.handler import handler

    runs: list[RunRecord] = handler(event, SimpleNamespace(aws_request_id="replayed"))["runs"]
    if as_json:
        sys.stdout.write(json.dumps(runs, indent=2) + "\n")
    for run in [] if as_json else runs:
        results.print(
            f"{MARKS[run['status']]} {run_summary.title(run)}: {run_summary.why(run) or run_summary.made(run)}",
            markup=False,
        )
        if run["error"]:
            results.print(run["error"]["traceback"], markup=False)
    return 0 if all(run["status"] == "succeeded" for run in runs) else 1


def _event(settings: Settings, number: int) -> ReceivedEvent:
    with closing(State(settings.state)) as state:
        event = state.received_events.get(number)
    if event is None:
        raise SettingsError(f"There is no event {number} in {settings.state}. `runner events` lists them.")
    if event.body is None:
        raise SettingsError(f"Event {number} was too large to keep. Drop its file again, or `runner backfill` it.")
    return event


def _as_lambda_gets_it(event: ReceivedEvent, described: stack_template.StackTemplate) -> dict[str, Any]:
    """As the poller makes it, with the attributes of a first attempt."""
    sent_ms = str(round(event.received_at * 1000))
    attributes = {
        "ApproximateReceiveCount": "1", "SentTimestamp": sent_ms, "ApproximateFirstReceiveTimestamp": sent_ms,
        "SenderId": clients.ACCOUNT,
    }  # fmt: skip
    message = {
        "MessageId": event.message_id, "ReceiptHandle": "replayed", "Body": event.body, "Attributes": attributes,
    }  # fmt: skip
    return sqs_event([message], described.queue_name)


app = typer.Typer()


shown = typer.Typer(invoke_without_command=True)
app.add_typer(shown, name="events")


Number = Annotated[int, typer.Argument(help="The event's number, as `runner events` shows it.")]


@shown.callback()
def events(
    context: typer.Context,
    newest: Annotated[int, typer.Option("-n", "--newest", help="How many of the newest events.")] = 20,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Show the events that the queue gave to the stack: files, schedules, and whatever else was sent."""
    if context.invoked_subcommand is None:
        show(chosen(data), newest, as_json=json)


@shown.command()
def save(
    number: Number,
    path: Annotated[Path, typer.Argument(help="A JSON file that is not there yet.")],
    data: Data = None,
) -> None:
    """Write an event as JSON, as Lambda gets it: for a test, or for `sam local invoke --event`.

    `runner events save 12 tests/events/saved/mine.json`
    """

    save_event(chosen(data), number, path)


@app.command()
def replay(
    number: Number,
    direct: Annotated[bool, typer.Option("--direct", help="In this process, where breakpoints stop.")] = False,
    data: Data = None,
    json: Annotated[bool, typer.Option("--json", help="Print the run records as JSON.")] = False,
) -> None:
    """Run an event once more on the stack that is up, and show what came of it."""

    run = run_in_process if direct else replay_event
    sys.exit(run(chosen(data), number, as_json=json))


@app.command()
def backfill(
    wanted: Annotated[list[str], typer.Argument(metavar="PREFIX|FILE…", help="Keys begin so, or a file's own key.")],
    since: Time = None,
    until: Time = None,
    rate: Annotated[float, typer.Option(min=0.01, help="Events per second.")] = 10.0,
    aws: Annotated[bool, typer.Option("--aws", help="In your AWS account; needs --bucket and --queue.")] = False,
    bucket: Annotated[Optional[str], typer.Option(help="The source bucket on AWS.", show_default=False)] = None,  # noqa: UP045
    queue: Annotated[Optional[str], typer.Option(help="The queue's name or URL.", show_default=False)] = None,  # noqa: UP045
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before sending to AWS.")] = False,
    data: Data = None,
) -> None:
    """Send objects that are in the source bucket already through the queue again: all that begin with a prefix.

    After Ctrl-C, or a kill, the same command goes on where it was. `--since` and `--until` look at when objects came.

    `runner backfill a2e_buoy_ingest/ --since 2020-12-01 --rate 2`
    """
    from runner.cli import backfill as filling

    if aws:
        code = filling.on_aws(chosen(data), wanted, since, until, rate, bucket, queue, ask=not yes)
    else:
        code = filling.local(chosen(data), wanted, since, until, rate)
    sys.exit(code)
