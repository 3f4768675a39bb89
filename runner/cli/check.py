"""Finds before the first file what would go wrong with it: `runner check`."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

from runner.cli.output import results
from runner.errors import RunnerError
from runner.function import pipeline, routing
from runner.settings import Settings
from runner.stack import embedded
from runner.state import stack_lock
from runner.template import stack_template


def check(settings: Settings) -> int:
    """Print one line for each problem; gives the exit code, 0 when there is none."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    count = 0
    for problem in problems(settings):
        count += 1
        results.print(f"✗ {problem}", markup=False, style="red")
    if not count:
        results.print("✔ template, routes, pipeline configs and ports are in order", style="green")
    return 1 if count else 0


def problems(settings: Settings) -> Iterator[str]:
    """Everything that is wrong, one line each."""
    described = None
    try:
        described = stack_template.load(settings.root / "template.yaml")
    except RunnerError as error:
        yield from str(error).splitlines()
    try:
        routes = routing.load(settings.root)
    except RunnerError as error:
        yield from str(error).splitlines()
    else:
        yield from _config_problems(settings.root, routes, described.destination_bucket if described else "unknown")
    if not stack_lock.running_at(settings) and _listens(embedded.DEFAULT_PORT):
        yield (
            f"port {embedded.DEFAULT_PORT} is in use by something else. "
            "Stop it, or choose another: runner up --port 4567"
        )


def _config_problems(root: Path, routes: routing.Routes, bucket: str) -> Iterator[str]:
    if not routes.routes:
        yield f"{root / 'pipelines'}: there is no pipeline. Add a folder with config/pipeline.yaml."
    os.chdir(root)
    os.environ.setdefault("TSDAT_S3_BUCKET_NAME", bucket)
    pipeline.use_project(root)
    for route in routes.routes:
        try:
            built = pipeline.load(Path(route.config))
        except Exception as error:  # whatever a config or a user's module raises is what we are here to show
            yield f"{route.config}: {_innermost(error)}"
        else:
            if route.takes_files and not getattr(built.retriever, "readers", True):
                yield f"{route.config}: its retriever has no readers. Add at least one pattern with a reader."


def _innermost(error: BaseException) -> str:
    """The first cause in one line: tsdat wraps it."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
