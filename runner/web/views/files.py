"""Files: one row a file, newest first, with filters."""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from runner.errors import RoutingError
from runner.function import routing
from runner.web.known_files import OUTCOMES, FileRow, Filter, page
from runner.web.live import Feed
from runner.web.page import Page

COUNT = 50
PERIODS = {"": 0.0, "hour": 3600.0, "day": 86_400.0, "week": 604_800.0}


def show(request: Request) -> Response:
    """Answer with a page of files."""
    the_page: Page = request.app.state.page
    feed: Feed = request.app.state.feed
    wanted = wanted_files(request.query_params)
    feed.refresh()
    with the_page.state() as state:
        found, before = page(the_page.settings, state, wanted, COUNT, feed.running)
    shown = [*_pending(feed.pending, wanted), *found]
    query = {name: value for name, value in request.query_params.items() if name != "before"}
    older = urlencode({**query, "before": str(before)}) if before else None
    values = {"files": [row.as_json() for row in shown], "older": older and f"/files.json?{older}", **feed.summary()}
    return the_page.answer(
        request, "files", values, rows=shown, older_page=older and f"/?{older}", chosen=request.query_params,
        is_first=wanted.before is None, outcomes=OUTCOMES, periods=tuple(PERIODS), routes=route_names(the_page),
    )  # fmt: skip


def wanted_files(query: Mapping[str, str]) -> Filter:
    """Return the filter that an address asks for; what it does not understand does not count."""
    period_s = PERIODS.get(query.get("period", ""), 0.0)
    before, outcome = query.get("before", ""), query.get("outcome", "")
    pipeline, _, location = query.get("pipeline", "").partition("/")
    return Filter(
        name=query.get("name", "").strip(),
        outcome=outcome if outcome in OUTCOMES else "",
        pipeline=pipeline,
        location=location,
        since=time.time() - period_s if period_s else 0.0,
        before=int(before) if before.isdecimal() and len(before) < 19 else None,
    )


def _pending(pending: list[FileRow], wanted: Filter) -> list[FileRow]:
    """Return the files of the inbox that are not uploaded yet; they have neither pipeline nor number."""
    if wanted.before is not None or wanted.pipeline:
        return []
    return [row for row in pending if wanted.outcome in ("", row.outcome) and wanted.name in row.file][:COUNT]


def route_names(the_page: Page) -> list[str]:
    """Return pipelines and their locations, for the filter; none if the routes are invalid."""
    try:
        routes = routing.load(the_page.settings.root).routes
    except (RoutingError, OSError):
        return []
    both = {f"{route.pipeline}/{route.location}" for route in routes if route.location}
    return sorted({route.pipeline for route in routes} | both)
