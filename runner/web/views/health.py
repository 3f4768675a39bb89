"""Health: what the reconciler reports, the processes and their logs, versions, and what template.yaml says."""

from __future__ import annotations

import json
import platform
from importlib import metadata
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from runner.web import commands, lambda_log
from runner.web.forms import require_token
from runner.web.live import Feed
from runner.web.page import Page
from runner.web.processes import stack_processes

_SHOWN_BYTES = 100_000
_PACKAGES = ("tsdat", "boto3", "bokeh", "starlette")


def show(request: Request) -> Response:
    """Answer with the state of the stack."""
    page: Page = request.app.state.page
    feed: Feed = request.app.state.feed
    feed.refresh()
    template = page.template
    values = {
        **feed.summary(),
        "stack": _stack(page),
        "processes": [process._asdict() for process in stack_processes()],
        "versions": {"Python": platform.python_version(), **_versions()},
        "template": {
            "function timeout": f"{template.function_timeout_s} s",
            "memory": f"{template.memory_mb} MB",
            "ephemeral storage": f"{template.ephemeral_storage_mb} MB",
            "visibility timeout": f"{template.visibility_timeout_s} s",
            "attempts": str(template.max_receive_count),
            "batch size": str(template.batch_size),
            "concurrency": str(template.maximum_concurrency or "not limited"),
            "source bucket": template.source_bucket,
            "destination bucket": template.destination_bucket,
            "queue": template.queue_name,
            "dead-letter queue": template.dead_letter_queue_name,
        },
        "logs": sorted(path.name for path in (page.settings.state / "logs").glob("*.log")),
    }
    return page.answer(request, "health", values)


async def reconcile(request: Request) -> Response:
    """Answer with what `runner reconcile` reports; it repairs what it can."""
    page: Page = request.app.state.page
    require_token(request)
    done = await commands.run(page.settings, "reconcile", "--json")
    found = done.json()
    return JSONResponse({"error": done.text}, 503) if found is None else JSONResponse(found)


def log(request: Request) -> Response:
    """Answer with the end of a log."""
    page: Page = request.app.state.page
    folder, name = page.settings.state / "logs", request.path_params["name"]
    if name not in {path.name for path in folder.glob("*.log")}:
        raise HTTPException(404, f"There is no log {name!r}.")
    return PlainTextResponse(lambda_log.tail(folder / name, _SHOWN_BYTES))


def _stack(page: Page) -> dict[str, Any]:
    """Return where the stack listens, as it announces itself."""
    try:
        found = json.loads((page.settings.state / "stack.json").read_text())
    except (OSError, ValueError):
        found = {}
    return {
        "ready": bool(found), "endpoint": found.get("endpoint_url"), "project": str(page.shown_root),
        "data": str(page.shown_data), "emulator": str(page.settings.emulator or "localstack"),
        "lambdas": page.settings.concurrency,
    }  # fmt: skip


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed here"
    return found
