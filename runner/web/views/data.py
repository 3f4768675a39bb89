"""Data: what a NetCDF output contains, and plots that ask for finer data when they are zoomed."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from runner.web.datasets.process import DatasetProcess, UnreadableError
from runner.web.known_runs import newest_outputs
from runner.web.page import Page
from runner.web.request_policy import HEADERS
from runner.web.views.outputs import output_file

_SUFFIXES = (".nc", ".cdf", ".nc4")
_LISTED = 100
_MOST_PLOTS = 8
_MOST_PIXELS = 4000
# Bokeh puts style sheets into its canvases.
_CSP = HEADERS["Content-Security-Policy"].replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")


async def show(request: Request) -> Response:
    """Answer with a file's header and plots; without a key, with the newest files."""
    page: Page = request.app.state.page
    key = request.query_params.get("key")
    if not key:
        with page.state() as state:
            found = newest_outputs(state, _SUFFIXES, _LISTED)
        return page.answer(request, "data_files", {"outputs": found})
    reader: DatasetProcess = request.app.state.datasets
    try:
        header = await reader.ask("describe", output_file(page.settings.outputs, key))
    except UnreadableError as error:
        raise HTTPException(422, str(error)) from error
    drawn = [variable["name"] for variable in header["variables"] if variable["kind"]]
    chosen = [name for name in request.query_params.getlist("var") if name in drawn][:_MOST_PLOTS]
    chosen = chosen or ([] if "var" in request.query_params else _first_choice(header))
    response = page.answer(
        request, "data", {"key": key, **header}, chosen=chosen, toggles={n: _toggled(key, chosen, n) for n in drawn},
    )  # fmt: skip
    response.headers["Content-Security-Policy"] = _CSP
    return response


async def plot(request: Request) -> Response:
    """Answer with the data of a plot, reduced to its pixels."""
    page: Page = request.app.state.page
    query = request.query_params
    file = output_file(page.settings.outputs, query.get("key", ""))
    reader: DatasetProcess = request.app.state.datasets
    try:
        found = await reader.ask(
            "plot", file, variable=query.get("var", ""), columns=_pixels(query.get("columns")),
            rows=_pixels(query.get("rows")), begin=_number(query.get("begin")), end=_number(query.get("end")),
        )  # fmt: skip
    except UnreadableError as error:
        raise HTTPException(422, str(error)) from error
    return JSONResponse(found)


def _first_choice(header: dict[str, Any]) -> list[str]:
    """Return a field and a series that most people want to see first: those with most checks behind them."""
    by_kind: dict[str, list[str]] = {"image": [], "series": []}
    for variable in header["variables"]:
        if variable["kind"]:
            by_kind[variable["kind"]].append(variable["name"])
    preferred = [name for name in by_kind["series"] if name not in ("latitude", "longitude", "lat", "lon")]
    return [*by_kind["image"][:1], *preferred[:1]]


def _toggled(key: str, chosen: list[str], name: str) -> str:
    """Return the address of the page with a variable added or removed."""
    names = [one for one in chosen if one != name] if name in chosen else [*chosen, name]
    return "/data?" + urlencode([("key", key), *[("var", one) for one in names or [""]]])


def _pixels(text: str | None) -> int:
    return max(10, min(_MOST_PIXELS, int(text))) if text and text.isdecimal() else 1000


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
