"""Pipelines: routes, what `runner check` finds, which pipeline takes a name, schedules, and the latest runs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from importlib.util import find_spec
from itertools import islice
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from runner.errors import RoutingError
from runner.function import routing
from runner.messages.schedule_events import iso
from runner.settings import Settings
from runner.web import commands
from runner.web.forms import read_form, require_token
from runner.web.known_runs import latest_runs
from runner.web.page import Page
from runner.web.source_links import editor_address

_NEXT_TIMES = 3
_RUNS = 10
_SHORT_WAIT_S = 4.0
_NO_TSDAT = "The page's container has no tsdat, which the check needs. Run `runner check` in a terminal."


def show(request: Request) -> Response:
    """Answer with all pipelines and schedules."""
    page: Page = request.app.state.page
    routes, problem = _routes(page.settings)
    with page.state() as state:
        runs = latest_runs(state, sorted({route.pipeline for route in routes}), _RUNS)
    values = {
        "pipelines": [_described(route) for route in routes], "problem": problem, "runs": runs,
        "schedules": [_schedule(schedule) for schedule in page.template.schedules],
    }  # fmt: skip
    name = request.query_params.get("name", "")
    takes = [f"{r.pipeline}/{r.location}" if r.location else r.pipeline for r in routes if name and r.matches(name)]
    return page.answer(request, "pipelines", values, name=name, takes=takes)


async def check(request: Request) -> Response:
    """Answer with what `runner check` finds, each with an address that opens an editor there."""
    page: Page = request.app.state.page
    require_token(request)
    if find_spec("tsdat") is None:
        return JSONResponse({"error": _NO_TSDAT}, 503)
    done = await commands.run(page.settings, "check", "--json")
    found = done.json()
    if found is None:
        return JSONResponse({"error": f"`runner check` does not run here: {done.text}"}, 503)
    for problem in found["problems"]:
        problem["editor"] = await asyncio.to_thread(
            editor_address, page.settings.root, str(problem["file"]), int(problem["line"]), page.shown_root
        )
    return JSONResponse(found)


async def trigger(request: Request) -> Response:
    """Run a schedule now."""
    page: Page = request.app.state.page
    await read_form(request)
    name = request.path_params["name"]
    if name not in {schedule.name for schedule in page.template.schedules}:
        raise HTTPException(404, f"There is no schedule {name!r} in template.yaml.")
    done = await commands.run(page.settings, "trigger", name, patience_s=_SHORT_WAIT_S)
    text = f"{name} runs; Files shows it." if done.code is None else done.text
    return RedirectResponse(f"/pipelines?notice={page.add_notice(text)}", 303)


def _routes(settings: Settings) -> tuple[tuple[routing.Route, ...], str | None]:
    try:
        return routing.load(settings.root).routes, None
    except (RoutingError, OSError) as error:
        return (), str(error)


def _described(route: routing.Route) -> dict[str, Any]:
    patterns = [" or ".join(pattern.pattern for pattern in group) for group in route.patterns]
    return {
        "pipeline": route.pipeline, "location": route.location, "config": route.config,
        "patterns": [text for text in patterns if text],
    }  # fmt: skip


def _schedule(schedule: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    times = list(islice(schedule.times(now, now), _NEXT_TIMES)) if schedule.enabled else []
    return {
        "name": schedule.name, "expression": schedule.expression, "timezone": schedule.timezone,
        "enabled": schedule.enabled, "config": schedule.requested_run(now).config,
        "next": [{"time": iso(time), "window": str(schedule.requested_run(time).window)} for time in times],
    }  # fmt: skip
