"""`runner check`: find problems in routes, pipeline configs, template and port before the first file."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import typer

from runner.aws import clients
from runner.cli.options import AsJson, Data, chosen
from runner.cli.output import only_json, print_json, results
from runner.errors import LocalOnlyError, RunnerError, StackError
from runner.settings import DEFAULT_PORT, Settings
from runner.state import stack_lock
from runner.template import stack_template

if TYPE_CHECKING:
    from runner.function import routing


def check(data: Data = None, as_json: AsJson = False) -> None:
    """Find problems in routes, configs and template.

    It builds each pipeline without running it, and prints a line for each problem. A port that only `runner up` needs
    causes a warning.

    Example: `runner check`
    """
    raise typer.Exit(report(chosen(data), as_json=as_json))


def report(settings: Settings, *, as_json: bool) -> int:
    """Print all problems and warnings, and return the exit code: 0 if there is no problem."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    with only_json(as_json):
        found, warned = list(problems(settings)), list(warnings(settings))
    if as_json:
        print_json({"problems": found, "warnings": warned})
        return 1 if found else 0
    for problem in found:
        results.print(f"✗ {problem}", markup=False, style="red")
    for warning in warned:
        results.print(f"! {warning}", markup=False, style="yellow")
    if not found:
        results.print("✔ no problems in template, routes and pipeline configs", style="green")
    return 1 if found else 0


def problems(settings: Settings) -> Iterator[str]:
    """Yield a line for each problem that would make files fail."""
    from runner.function import routing

    template = None
    try:
        template = stack_template.load(settings.root / "template.yaml")
    except RunnerError as error:
        yield from str(error).splitlines()
    try:
        routes = routing.load(settings.root)
    except RunnerError as error:
        yield from str(error).splitlines()
    else:
        yield from _config_problems(settings.root, routes, template.destination_bucket if template else "unknown")


def _config_problems(root: Path, routes: routing.Routes, bucket: str) -> Iterator[str]:
    from runner.function import pipeline

    if not routes.routes:
        yield f"{root / 'pipelines'}: there is no pipeline. Add a folder with config/pipeline.yaml."
    os.chdir(root)
    os.environ.setdefault("TSDAT_S3_BUCKET_NAME", bucket)
    pipeline.use_project(root)
    for route in routes.routes:
        try:
            built = pipeline.load(Path(route.config))
        except Exception as error:  # whatever a config or a user's module raises is a problem to print
            yield f"{route.config}: {_first_cause(error)}"
        else:
            if route.takes_files and not getattr(built.retriever, "readers", True):
                yield f"{route.config}: its retriever has no readers. Add at least one pattern with a reader."


def _first_cause(error: BaseException) -> str:
    """Return the error that tsdat wrapped, in one line."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def warnings(settings: Settings) -> Iterator[str]:
    """Yield a line for each reason why `runner up` could not start here; a running stack needs no other start."""
    endpoint_url = settings.endpoint_url or f"http://127.0.0.1:{DEFAULT_PORT}"
    if _has_stack(settings) or clients.in_compose_network(endpoint_url):  # there `up` chooses a free port
        return
    try:
        clients.require_local(endpoint_url)
    except LocalOnlyError as error:
        yield str(error)
        return
    address = urlsplit(endpoint_url)
    host, port = address.hostname or "127.0.0.1", address.port or 80
    if _listens(host, port):
        yield (
            f"port {port} is in use, perhaps by a stack on another data folder. "
            "`runner up` needs a free one: runner up --port 4567, or --port 0 for any"
        )


def _has_stack(settings: Settings) -> bool:
    """Whether a stack runs on the data folder, or is starting."""
    try:
        with stack_lock.only_one(settings):
            return False
    except StackError:
        return True


def _listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0
