"""`runner events`: list the events that the queue returned, and save one as Lambda receives it."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from runner.aws import clients
from runner.aws.sqs import sqs_event
from runner.cli.options import AsJson, Data, chosen
from runner.cli.output import MARKS, print_json, results
from runner.errors import EventError, SettingsError
from runner.messages import s3_events
from runner.messages.object_keys import printable
from runner.messages.redaction import redact
from runner.settings import Settings
from runner.state.database import State
from runner.state.received_events import ReceivedEvent
from runner.template.stack_template import StackTemplate, load_for

app = typer.Typer(invoke_without_command=True)

Number = Annotated[int, typer.Argument(help="The event's number, as `runner events` lists it.")]


@app.callback()
def events(
    context: typer.Context,
    newest: Annotated[int, typer.Option("-n", "--newest", min=0, help="How many of the newest events.")] = 20,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List the newest events that the stack received.

    An event reports new files, asks for a scheduled run, or is any other message that was sent to the queue.

    Example: `runner events -n 5`
    """
    if context.invoked_subcommand is None:
        show(chosen(data), newest, as_json=as_json)


def show(settings: Settings, newest: int, *, as_json: bool) -> None:
    """Print the newest events, each with its content and the outcome of its last run."""
    with closing(State(settings.state)) as state:
        found = state.received_events.newest(newest)
        runs = {event.message_id: state.runs.of_message(event.message_id) for event in found}
        outcomes = {message_id: own[-1].outcome for message_id, own in runs.items() if own}
    if as_json:
        print_json([{**vars(event), "outcome": outcomes.get(event.message_id)} for event in found])
    elif not found:
        results.print("The stack has received no event yet. Run `runner up`, then drop a file.")
    for event in [] if as_json else found:
        received_at = datetime.fromtimestamp(event.received_at).isoformat(" ", "seconds")
        outcome = outcomes.get(event.message_id)
        mark = f"{MARKS[outcome]} {outcome}" if outcome else "no run"
        results.print(f"{event.id:>6}  {received_at}  {mark:<13}  {summary(event.body)}", markup=False)


def summary(body: str | None) -> str:
    """Return the keys, schedules or skipped records of an event in one line."""
    if body is None:
        return "too large to keep"
    try:
        parsed = s3_events.parse(body)
    except EventError as error:
        return redact(str(error)).splitlines()[0]
    found = [printable(item.key) for item in parsed.objects]
    found += [f"{item.schedule} {item.window}" for item in parsed.scheduled]
    return ", ".join(found + [f"{skip.event_name} (nothing to run)" for skip in parsed.skips])


@app.command()
def save(
    number: Number,
    path: Annotated[Path, typer.Argument(help="A JSON file that does not exist yet.")],
    data: Data = None,
) -> None:
    """Save an event as JSON, as Lambda receives it.

    Use it in a test with `invoke`, or with `sam local invoke --event`.

    Example: `runner events save 12 tests/events/saved/mine.json`
    """
    settings = chosen(data)
    if path.exists():
        raise SettingsError(f"{path} already exists. Remove it, or choose another name.")
    event = as_lambda_receives_it(find(settings, number), load_for(settings))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(event, indent=2) + "\n", encoding="utf-8")
    results.print(f"saved {path}", markup=False)


def find(settings: Settings, number: int) -> ReceivedEvent:
    """Return an event that was kept in full.

    Raises:
        SettingsError: there is no such event, or it was too large to keep.
    """
    with closing(State(settings.state)) as state:
        event = state.received_events.get(number)
    if event is None:
        raise SettingsError(f"There is no event {number} in {settings.state}. `runner events` lists them.")
    if event.body is None:
        raise SettingsError(f"Event {number} was too large to keep. Drop its file again, or run `runner backfill`.")
    return event


def as_lambda_receives_it(event: ReceivedEvent, template: StackTemplate) -> dict[str, Any]:
    """Return the SQS event that the event source mapping builds, with the attributes of a first attempt."""
    sent_ms = str(round(event.received_at * 1000))
    attributes = {
        "ApproximateReceiveCount": "1", "SentTimestamp": sent_ms, "ApproximateFirstReceiveTimestamp": sent_ms,
        "SenderId": clients.ACCOUNT,
    }  # fmt: skip
    message = {
        "MessageId": event.message_id, "ReceiptHandle": "replayed", "Body": event.body, "Attributes": attributes,
    }  # fmt: skip
    return sqs_event([message], template.queue_name)
