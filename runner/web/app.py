"""The application: addresses, security, static files, and what is sent while a page is open."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

from sse_starlette.sse import EventSourceResponse
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from runner.errors import RunnerError
from runner.settings import Settings
from runner.web.datasets.process import DatasetProcess
from runner.web.live import Feed
from runner.web.page import FOLDER, Page
from runner.web.request_policy import OnlyThisPage
from runner.web.views import data, failures, files, health, outputs, pipelines, runs, uploads


def create(settings: Settings, shown_root: Path | None = None, shown_data: Path | None = None) -> Starlette:
    """Return the application for a data folder.

    Args:
        settings: of this process.
        shown_root: the project's path for the user, if this process sees another one, as in a container.
        shown_data: the data folder's path for the user.
    """
    page = Page(settings, shown_root or settings.root, shown_data or settings.data)
    feed = Feed(page)

    @contextlib.asynccontextmanager
    async def looking(app: Starlette) -> AsyncIterator[None]:
        stop = threading.Event()
        thread = threading.Thread(target=feed.run, args=(stop,), name="feed", daemon=True)
        thread.start()
        yield
        stop.set()
        thread.join()
        feed.close()
        await app.state.datasets.stop()

    app = Starlette(
        routes=_routes(),
        middleware=[Middleware(OnlyThisPage)],
        exception_handlers={HTTPException: _failed, RunnerError: _failed},
        lifespan=looking,
    )
    app.state.page, app.state.feed, app.state.datasets = page, feed, DatasetProcess()
    return app


def _routes() -> list[BaseRoute]:
    return [
        *_with_twin("/", files.show, "/files"),
        *_with_twin("/runs/{number:int}", runs.show),
        Route("/runs/{number:int}/event.json", runs.event),
        Route("/runs/{number:int}/{action}", runs.act, methods=["POST"]),
        Route("/outputs/{key:path}", outputs.download),
        *_with_twin("/data", data.show),
        Route("/data/plot.json", data.plot),
        *_with_twin("/pipelines", pipelines.show),
        Route("/pipelines/check.json", pipelines.check, methods=["POST"]),
        Route("/schedules/{name}/run", pipelines.trigger, methods=["POST"]),
        *_with_twin("/failures", failures.show),
        Route("/failures/{action}", failures.act, methods=["POST"]),
        *_with_twin("/health", health.show),
        Route("/health/reconcile.json", health.reconcile, methods=["POST"]),
        Route("/logs/{name}", health.log),
        Route("/inbox", uploads.receive, methods=["POST"]),
        Route("/routes/suggest.json", uploads.suggest),
        Route("/live", live),
        Mount("/static", StaticFiles(directory=FOLDER / "static")),
        Mount("/bokeh", StaticFiles(directory=bokeh_scripts())),
    ]


def _with_twin(path: str, view: object, twin: str = "") -> list[BaseRoute]:
    """Return the address of a page and that of its JSON."""
    return [Route(path, view), Route(f"{twin or path}.json", view)]  # type: ignore[arg-type]


def bokeh_scripts() -> Path:
    """Return the folder of Bokeh's JavaScript, without importing Bokeh."""
    spec = find_spec("bokeh")
    if spec is None or spec.origin is None:
        raise RunnerError("Bokeh is not installed. Run scripts/setup.")
    return Path(spec.origin).parent / "server" / "static" / "js"


async def live(request: Request) -> Response:
    """Send what changes, as server-sent events."""
    feed: Feed = request.app.state.feed
    return EventSourceResponse(({"event": "files", "data": text} async for text in feed.listen()), ping=15)


async def _failed(request: Request, error: Exception) -> Response:
    """Answer with an error as a page, or as JSON where JSON was asked for."""
    page: Page = request.app.state.page
    status = error.status_code if isinstance(error, HTTPException) else 500
    text = error.detail if isinstance(error, HTTPException) else str(error)
    if request.url.path.endswith(".json"):
        return JSONResponse({"error": text}, status)
    return page.answer(request, "error", {"status": status, "text": text}, status)
