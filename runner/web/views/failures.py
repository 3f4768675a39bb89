"""Failures: what failed for good, grouped by its error, to retry or forget."""

from __future__ import annotations

from dataclasses import asdict

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from runner.web import commands
from runner.web.forms import read_form
from runner.web.known_runs import failure_groups
from runner.web.page import Page

_MOST_IDS = 1000


def show(request: Request) -> Response:
    """Answer with all groups of failures."""
    page: Page = request.app.state.page
    with page.state() as state:
        groups = failure_groups(state)
    return page.answer(request, "failures", {"groups": [asdict(group) for group in groups]}, found=groups)


async def act(request: Request) -> Response:
    """Retry or forget failures by the command of that name."""
    page: Page = request.app.state.page
    fields, action = await read_form(request), request.path_params["action"]
    ids = fields.get("id", [])[:_MOST_IDS]
    if not ids:
        raise HTTPException(400, "No failure is chosen. Check at least one.")
    if any(not name.isalnum() for name in ids):
        raise HTTPException(400, "An ID of a failure has letters and digits only.")
    if action == "retry":
        done = await commands.run(page.settings, "retry", *ids)
    elif action == "forget":
        why = fields.get("why", [""])[0]
        if not why.strip():
            raise HTTPException(400, "Write the reason why these files are not needed. Files shows it.")
        done = await commands.run(page.settings, "forget", *ids, f"--why={why}")
    else:
        raise HTTPException(404, f"There is no action {action!r}.")
    return RedirectResponse(f"/failures?notice={page.add_notice(done.text or 'It goes on in the background.')}", 303)
