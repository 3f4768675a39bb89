"""`runner check`: find the mistakes of a project before the first file."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from runner.aws import clients
from runner.cli.interrupt import interruptible
from runner.cli.options import AsJson, Data, chosen
from runner.cli.output import only_json, print_json, results, say
from runner.cli.submit import keys_of
from runner.errors import LocalOnlyError, PackagesError, StackError
from runner.packages import install
from runner.settings import DEFAULT_PORT, Settings
from runner.state import stack_lock

if TYPE_CHECKING:
    from runner.diagnostics.problem import Problem


def check(
    file: Annotated[
        Path | None,
        typer.Option("--with", metavar="FILE", exists=True, dir_okay=False, help="Also compare a raw file."),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Check again after each edit, until Ctrl-C.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Find the mistakes in routes, configs and template.

    Each is printed with its file, line and column, and what to do. Nothing runs. With `--with FILE` the pipeline's
    readers read a raw file, and its columns, types, times and units are compared with the config.

    Example: `runner check`

    Example: `runner check --with data/samples/tide_gauge/mcrl/tide_20200112000000.log`
    """
    settings = chosen(data)
    if watch and as_json:
        raise typer.BadParameter("--watch prints for people. Leave out --json.")
    if not watch:
        raise typer.Exit(report(settings, file, as_json=as_json))
    from runner.stack.hot_reload import Watch

    edits = Watch(settings.root)
    with interruptible() as stop:
        while True:
            command = [sys.executable, "-P", "-m", "runner", "check", *(["--with", str(file)] if file else [])]
            subprocess.run(command, env={**os.environ, "RUNNER_ROOT": str(settings.root)}, check=False)
            say("watching for edits; Ctrl-C stops")
            while not edits.changed():
                stop.pause(0.5)


def report(settings: Settings, file: Path | None = None, *, as_json: bool) -> int:
    """Print all problems and warnings, and return the exit code: 0 if there is no problem."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    with only_json(as_json):
        found, warned = problems(settings, file), list(warnings(settings))
    failed = any(problem.severity == "error" for problem in found)
    if as_json:
        print_json({"problems": [asdict(problem) for problem in found], "warnings": warned})
        return 1 if failed else 0
    for name, group in groupby(found, key=lambda problem: problem.pipeline):
        if name:
            results.print(f"{name}", style="bold", markup=False)
        for problem in group:
            style = "red" if problem.severity == "error" else "yellow"
            results.print(f"{problem}", markup=False, style=style, soft_wrap=True)
    for warning in warned:
        results.print(f"! {warning}", markup=False, style="yellow")
    errors = sum(problem.severity == "error" for problem in found)
    if not errors:
        results.print("✔ no problems in template, routes and pipeline configs", style="green")
    else:
        results.print(f"✗ {errors} problem{'s' if errors > 1 else ''}", style="red")
    return 1 if failed else 0


def problems(settings: Settings, file: Path | None = None) -> list[Problem]:
    """Return everything that would make files fail, or that has no effect, in the order of pipelines and files."""
    from runner.diagnostics import project, template_file

    file = file.absolute() if file else None
    found: list[Problem] = []
    packages = None
    try:
        packages = install.use(settings, say)
    except PackagesError as error:
        found.append(_of_packages(str(error)))
    template, of_template = template_file.check(settings, project.configs(settings.root))
    found += of_template
    os.environ.setdefault("TSDAT_S3_BUCKET_NAME", template.destination_bucket if template else "unknown")
    of_configs = project.check(settings, packages)
    found += of_configs
    if file and not any(problem.severity == "error" for problem in of_configs):
        found += _with_file(settings, file)
    return sorted(found, key=lambda problem: (problem.pipeline, problem))


def _of_packages(text: str) -> Problem:
    """Return the problem of requirements.txt, whose text begins with, or contains, the line."""
    from runner.diagnostics.problem import Problem

    place = re.search(r"^ *([\w./-]+\.txt):(\d+): ", text, re.MULTILINE)
    name, line = (place[1], int(place[2])) if place else ("requirements.txt", 1)
    return Problem(name, line, 1, " ".join(text.removeprefix(f"{name}:{line}: ").split()))


def _with_file(settings: Settings, file: Path) -> list[Problem]:
    from runner.diagnostics import with_data
    from runner.diagnostics.problem import Problem
    from runner.function import routing

    (key,) = keys_of(settings, [file])
    routes = routing.load(settings.root)
    matching = routes.matches(key) or routes.matches(str(file))
    if not matching:
        return [Problem("pipelines", 1, 1, f"no pipeline's triggers match {key!r}.")]
    return [
        replace(problem, pipeline=route.pipeline)
        for route in matching
        for problem in with_data.check(settings.root, route.config, file)
    ]


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
    """Whether a stack runs on the data folder, or is starting. A check creates no data folder."""
    if not settings.state.is_dir() or not os.access(settings.state, os.W_OK):
        return False
    try:
        with stack_lock.only_one(settings):
            return False
    except StackError:
        return True


def _listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0
