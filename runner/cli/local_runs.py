"""Run pipelines in this process with tsdat alone, and print the results: `runner ingest` and `runner vap`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from runner.aws import clients
from runner.cli.output import only_json, print_json, results, say
from runner.cli.submit import keys_of
from runner.errors import RoutingError, UnroutableError
from runner.function import archives, pipeline, routing
from runner.function.archive_limits import ArchiveLimits
from runner.function.isolation import isolated
from runner.function.lambda_limits import failure_of
from runner.messages import run_summary
from runner.messages.redaction import redact, redact_failure, secrets_in
from runner.messages.run_record import Failure
from runner.messages.schedule_events import Window
from runner.packages import install
from runner.settings import Settings
from runner.state import stack_lock
from runner.template import stack_template

# Nothing listens there: without --aws, S3 cannot be reached.
_NOWHERE = "http://127.0.0.1:9"


Overrides = Callable[[Path], dict[str, Any]]
"""Returns what tsdat replaces in a pipeline's config, by JSON pointer."""


@dataclass
class LocalRun:
    """One pipeline run on local files, or a file without one."""

    inputs: list[str]
    config: str | None = None
    status: str = "succeeded"
    """succeeded, failed or skipped."""
    reason: str | None = None
    error: Failure | None = None
    warnings: list[str] = field(default_factory=list)


def run_pipelines(
    settings: Settings,
    files: list[Path],
    *,
    clump: bool,
    multidispatch: bool,
    as_json: bool = False,
    with_aws: bool = False,
) -> int:
    """Run the pipelines that match the files, and return the exit code: 0 if none failed.

    Args:
        settings: of the project and the data folder.
        files: raw instrument files.
        clump: pass all files to one run; the first file selects the pipeline.
        multidispatch: run every pipeline that matches a file.
        as_json: print only JSON.
        with_aws: let the pipelines reach AWS, with the credentials of the environment.
    """
    paths = [path.absolute() for path in files]
    overrides = _enter_project(settings, with_aws=with_aws)
    found: list[LocalRun] = []
    with only_json(as_json):
        for result in _results(settings, overrides, paths, clump=clump, multidispatch=multidispatch, quiet=as_json):
            found.append(result)
            if not as_json:
                _print(result)
    if as_json:
        print_json([asdict(result) for result in found])
    else:
        count = [result.status for result in found].count
        results.print(f"{count('succeeded')} successes, {count('failed')} failures, {count('skipped')} skipped")
    return 1 if any(result.status == "failed" for result in found) else 0


def run_vap(settings: Settings, config: Path, window: Window, *, as_json: bool = False, with_aws: bool = False) -> int:
    """Run a VAP's config on a window of stored data, and return the exit code: 0 if it did not fail."""
    config = config.absolute()
    overrides = _enter_project(settings, with_aws=with_aws)
    with only_json(as_json):
        result = _run_config(config, overrides, window.for_tsdat(), [str(window)], quiet=as_json)
    if as_json:
        print_json(asdict(result))
    else:
        _print(result)
    return 0 if result.status == "succeeded" else 1


def _enter_project(settings: Settings, *, with_aws: bool) -> Overrides:
    """Make the project importable and its relative paths valid, and keep its pipelines away from AWS.

    Returns:
        What to override in their configs.
    """
    if not with_aws and not clients.is_local(os.environ.get("AWS_ENDPOINT_URL")):
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update(clients.local_environment(_NOWHERE))
    if offset := time.localtime().tm_gmtoff:
        zone = f"{time.tzname[0]}, UTC{offset / 3600:+g} h"
        say(f"This machine's time zone is {zone}; Lambda's is UTC. Code that uses local time gives other times there.")
    os.environ.setdefault("MPLBACKEND", "Agg")
    os.environ.setdefault("TSDAT_STORAGE_ROOT", str(settings.outputs))
    stack_lock.prepare_data(settings)
    install.use(settings, say)
    os.chdir(settings.root)  # tsdat's configs name files relative to the project
    pipeline.use_project(settings.root)
    pipeline.built.clear()  # a storage keeps the folder for which it was built
    return (lambda _: {}) if with_aws else _local_storage


def _results(
    settings: Settings, overrides: Overrides, paths: list[Path], *, clump: bool, multidispatch: bool, quiet: bool
) -> Iterator[LocalRun]:
    routes = routing.load(settings.root)
    limits = _archive_limits(settings)
    for path in paths[:1] if clump else paths:
        inputs = paths if clump else [path]
        names = [str(one) for one in inputs]
        try:
            matching = _matching(settings, routes, path, multidispatch=multidispatch)
        except UnroutableError as error:
            yield LocalRun(names, status="skipped", reason=str(error))
            continue
        except RoutingError as error:
            yield LocalRun(names, status="failed", reason=str(error))
            continue
        if not matching:
            yield LocalRun(names, status="skipped", reason=f"No pipeline matches {str(path)!r}.")
        for route in matching:
            inspect = partial(_inspect, inputs, limits)
            yield _run_config(Path(route.config), overrides, names, names, inspect, quiet=quiet)


def _matching(settings: Settings, routes: routing.Routes, path: Path, *, multidispatch: bool) -> list[routing.Route]:
    """Return the routes for a file, by the key that it would have in S3; otherwise by its path, as tsdat alone does.

    Raises:
        RoutingError: none matches, or several do where one is wanted.
    """
    (key,) = keys_of(settings, [path])
    name = key if routes.matches(key) else str(path)
    return routes.matches(name) if multidispatch else routes.for_key(name)


def _inspect(inputs: list[Path], limits: ArchiveLimits) -> None:
    for path in inputs:
        archives.check(path, limits)


def _archive_limits(settings: Settings) -> ArchiveLimits:
    """Return the function's limits, so that a file fails here as it does there."""
    return ArchiveLimits.from_env(stack_template.load_for(settings).environment)


def _run_config(
    config: Path,
    overrides: Overrides,
    arguments: list[str],
    inputs: list[str],
    inspect: Callable[[], None] = lambda: None,
    *,
    quiet: bool = False,
) -> LocalRun:
    """Run one pipeline config with tsdat.

    Args:
        config: of the pipeline.
        overrides: what to replace in the config.
        arguments: of tsdat's `Pipeline.run`: files, or the begin and end of a window.
        inputs: what the result names.
        inspect: called first; whatever it raises fails the run.
        quiet: print no line at the start.
    """
    result = LocalRun(inputs, str(config))
    if not quiet:
        results.print(f"▶ {_names(result)} → {config}", markup=False)
    warnings: list[str] = []
    phase = "inspect"
    try:
        inspect()
        with isolated(warnings):
            phase = "load"
            loaded = pipeline.load(config, overrides)
            phase = "process"
            loaded.run(arguments)
    except (Exception, SystemExit) as error:  # the failure of one file must not prevent the next run
        if isinstance(error, SystemExit):
            error = pipeline.exit_error(error)
        result.status, result.error = "failed", redact_failure(failure_of(error, phase), secrets_in(os.environ))
    result.warnings = [redact(warning, secrets_in(os.environ)) for warning in warnings]
    return result


def _local_storage(config: Path) -> dict[str, Any]:
    """Return the overrides with which a pipeline config stores in the output folder instead of in S3.

    Raises:
        ConfigError: it stores in S3 by a class of its own.
    """
    from tsdat.config.utils import ConfigError
    from tsdat.io.storage import FileSystemS3

    from runner.function import storage

    section = storage.configured(config)
    storage_class = storage.class_of(section)
    if not (isinstance(storage_class, type) and issubclass(storage_class, FileSystemS3)):
        return {}
    if storage_class is not FileSystemS3:
        raise ConfigError(
            f"{config}: its storage class {section['classname']} stores in S3. Send the file through the local S3 with "
            "`runner run`, or let it reach AWS: --aws."
        )
    parameters = {
        name: value for name, value in (section.get("parameters") or {}).items() if name not in storage.S3_PARAMETERS
    }
    return {"/storage": {**section, "classname": "tsdat.io.storage.FileSystem", "parameters": parameters}}


def _print(result: LocalRun) -> None:
    """Print a result for people."""
    for warning in result.warnings:
        results.print(f"  warning: {warning}", markup=False, style="yellow")
    mark, style = {"succeeded": ("✔", "green"), "skipped": ("–", "yellow"), "failed": ("✗", "red")}[result.status]
    results.print(f"{mark} {result.reason or _names(result)}", markup=False, style=style)
    if result.error:
        for line in [*run_summary.error_lines(result.error), "next: fix it, then run this command again"]:
            results.print(f"    {line}", markup=False)


def _names(result: LocalRun) -> str:
    return ", ".join(Path(name).name for name in result.inputs)
