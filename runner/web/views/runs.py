"""Run: the waterfall of its phases, inputs, outputs, quality, and for a failure the user's own line."""

from __future__ import annotations

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from runner.messages import run_summary
from runner.messages.run_record import versions
from runner.state.database import State
from runner.state.runs import Run
from runner.web import commands, lambda_log
from runner.web.forms import read_form
from runner.web.known_files import run_as_json
from runner.web.page import Page
from runner.web.source_links import linked
from runner.web.waterfall import bars

_ACTIONS = ("retry", "forget", "replay")
_SHORT_WAIT_S = 4.0


def show(request: Request) -> Response:
    """Answer with a run."""
    page: Page = request.app.state.page
    with page.state() as state:
        run = _run(state, request)
        event = state.received_events.of_message(run.record["message_id"] or "")
        attempts = state.runs.of_message(run.record["message_id"]) if run.record["message_id"] else [run]
        is_dead = any(state.versions.outcome(version) == "dead-lettered" for version in versions(run.record))
        waterfall = _waterfall(state, run, event.received_at if event else None)
    error = run.record["error"]
    values = {
        **run_as_json(run),
        "event": event.id if event else None,
        "waterfall": [bar._asdict() for bar in waterfall],
    }
    return page.answer(
        request, "run", values, run=run, record=run.record, bars=waterfall, attempts=attempts, is_dead=is_dead,
        title=run_summary.title(run.record), made=run_summary.made(run.record), why=run_summary.why(run.record),
        error_lines=linked(run_summary.error_lines(error), page.settings.root, page.shown_root) if error else [],
        next_step=run_summary.next_step(error) if error else "", event_id=event.id if event else None,
        outputs=[(item, (page.settings.outputs / item["key"]).is_file()) for item in run.record["outputs"]],
        log=lambda_log.of_request(page.settings.state / "logs", run.record["request_id"]),
    )  # fmt: skip


def event(request: Request) -> Response:
    """Answer with the message of a run, as the queue delivered it."""
    page: Page = request.app.state.page
    with page.state() as state:
        found = state.received_events.of_message(_run(state, request).record["message_id"] or "")
    if found is None or found.body is None:
        raise HTTPException(404, "The message of this run is not kept any more.")
    try:
        return JSONResponse(json.loads(found.body))
    except ValueError:
        return PlainTextResponse(found.body)


async def act(request: Request) -> Response:
    """Retry, forget or replay a run by the command of that name."""
    page: Page = request.app.state.page
    fields, action = await read_form(request), request.path_params["action"]
    if action not in _ACTIONS:
        raise HTTPException(404, f"There is no action {action!r}.")
    with page.state() as state:
        run = _run(state, request)
        message = state.received_events.of_message(run.record["message_id"] or "")
    ids = [run_summary.short_id(version) for version in versions(run.record)[-1:]]
    if action == "replay":
        if message is None:
            raise HTTPException(404, "The message of this run is not kept any more. Drop its file again.")
        done = await commands.run(page.settings, "replay", str(message.id), patience_s=_SHORT_WAIT_S)
    elif action == "forget":
        done = await commands.run(
            page.settings, "forget", *ids, f"--why={fields.get('why', [''])[0] or 'no reason given'}"
        )
    else:
        done = await commands.run(page.settings, "retry", *ids)
    text = done.text if done.code is not None else "The event is in the queue again."
    return RedirectResponse(f"/runs/{run.id}?notice={page.add_notice(text)}", 303)


def _run(state: State, request: Request) -> Run:
    number = int(request.path_params["number"])
    if not 0 < number <= state.runs.last_id():
        raise HTTPException(404, f"There is no run {number}.")
    return state.runs.get(number)


def _waterfall(state: State, run: Run, received_at: float | None) -> Any:
    if run.attempt > 1:
        return bars(run.record["durations_s"], run.ended_at)
    first = next(iter(run.record["inputs"]), None)
    upload = state.uploads.get(first["key"]) if first else None
    uploaded_at = upload.uploaded_at if upload and first and upload.etag == first["etag"] else None
    return bars(run.record["durations_s"], run.ended_at, uploaded_at, received_at)
