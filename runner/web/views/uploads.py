"""The drop zone: files that a browser sends go into the inbox, complete or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path, PurePosixPath

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from runner.errors import RoutingError
from runner.function import routing
from runner.messages.object_keys import refused
from runner.services.watcher.inbox import Inbox
from runner.settings import Settings
from runner.web.forms import require_token
from runner.web.page import Page

MOST_BYTES = 5_000_000_000
_FREE_BYTES = 100_000_000
_PART_NAME = ".tsdat-drop-"


async def receive(request: Request) -> Response:
    """Write the body of a request to the inbox, under the key in its address."""
    require_token(request)
    page: Page = request.app.state.page
    key = request.query_params.get("key", "")
    target = target_of(page.settings, key)
    size = int(request.headers.get("content-length", "-1"))
    _require_room(page.settings.inbox, size)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.parent / f"{_PART_NAME}{secrets.token_hex(8)}.part"  # such names are never uploaded
    received = 0
    try:
        with part.open("xb") as file:
            async for chunk in request.stream():
                received += len(chunk)
                if received > size:
                    break
                file.write(chunk)
        if received != size:
            raise HTTPException(400, f"{key!r} arrived incomplete: {received} of {size} bytes. Drop it again.")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return JSONResponse({"key": key, "size": size}, 201)


def target_of(settings: Settings, key: str) -> Path:
    """Return the file of a key below the inbox.

    Raises:
        HTTPException: the name cannot be a key, is ignored, or would be outside the inbox.
    """
    path = PurePosixPath(key)
    if not key or path.is_absolute() or ".." in path.parts or key != str(path) or "\0" in key:
        raise HTTPException(400, f"{key!r} is not a path below the inbox.")
    if reason := refused(key):
        raise HTTPException(400, f"{key!r}: {reason}")
    inbox = Inbox(settings.inbox, settings.ignored_names)
    target = inbox.path(key)
    if inbox.key(target) is None:
        raise HTTPException(400, f"{key!r} has a name that the stack ignores; see RUNNER_IGNORE in docs/settings.md.")
    settings.inbox.mkdir(parents=True, exist_ok=True)
    real = Path(os.path.realpath(target))  # a folder of the inbox may be a link
    if not real.is_relative_to(settings.inbox.resolve()) or target.is_dir():
        raise HTTPException(400, f"{key!r} is not a file below the inbox.")
    return target


def _require_room(folder: Path, size: int) -> None:
    if not 0 <= size <= MOST_BYTES:
        raise HTTPException(413, f"A file may have up to {MOST_BYTES} bytes. Copy a larger one into {folder}.")
    if shutil.disk_usage(folder).free - size < _FREE_BYTES:
        raise HTTPException(507, f"The disk of {folder} has no room for {size} bytes.")


def suggest(request: Request) -> Response:
    """Answer with the pipelines that take a name, and the folder below the inbox that fits."""
    page: Page = request.app.state.page
    return JSONResponse(suggestion(page.settings, request.query_params.get("name", "")))


def suggestion(settings: Settings, name: str) -> dict[str, object]:
    """Return which pipelines take a name as it is, and the folders in which some pipeline would."""
    try:
        routes = routing.load(settings.root)
    except RoutingError as error:
        return {"name": name, "takes": [], "folders": [], "problem": str(error)}
    takes = [_described(route) for route in routes.matches(name)]
    folders = [
        f"{route.pipeline}/{route.location}" if route.location else route.pipeline
        for route in routes.routes
        if route.takes_files and route.matches(f"{_folder_of(route)}/{PurePosixPath(name).name}")
    ]
    return {"name": name, "takes": takes, "folders": sorted(set(folders)), "problem": None}


def _folder_of(route: routing.Route) -> str:
    return f"{route.pipeline}/{route.location}" if route.location else route.pipeline


def _described(route: routing.Route) -> dict[str, str | None]:
    return {"pipeline": route.pipeline, "location": route.location, "config": route.config}
