"""Run pipelines in this process with tsdat alone, and print the results: `runner ingest` and `runner vap`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from runner.cli.output import only_json, print_json, results
from runner.errors import RoutingError, UnroutableError
from runner.function import archives, pipeline, routing
from runner.function.archive_limits import ArchiveLimits
from runner.function.isolation import isolated
from runner.function.lambda_limits import failure_of
from runner.messages import run_summary
from runner.messages.redaction import redact, redact_failure, secrets_in
from runner.messages.run_record import Failure
from runner.messages.schedule_events import Window
from runner.settings import Settings
from runner.template import stack_template


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
    settings: Settings, files: list[Path], *, clump: bool, multidispatch: bool, as_json: bool = False
) -> int:
    """Run the pipelines that match the files, and return the exit code: 0 if none failed.

    Args:
        settings: of the project and the data folder.
        files: raw instrument files.
        clump: pass all files to one run; the first file selects the pipeline.
        multidispatch: run every pipeline that matches a file.
        as_json: print only JSON.
    """
    paths = [path.absolute() for path in files]
    _enter_project(settings)
    found: list[LocalRun] = []
    with only_json(as_json):
        for result in _results(settings, paths, clump=clump, multidispatch=multidispatch, quiet=as_json):
            found.append(result)
            if not as_json:
                _print(result)
    if as_json:
        print_json([asdict(result) for result in found])
    else:
        count = [result.status for result in found].count
        results.print(f"{count('succeeded')} successes, {count('failed')} failures, {count('skipped')} skipped")
    return 1 if any(result.status == "failed" for result in found) else 0


def run_vap(settings: Settings, config: Path, window: Window, *, as_json: bool = False) -> int:
    """Run a VAP's config on a window of stored data, and return the exit code: 0 if it did not fail."""
    config = config.absolute()
    _enter_project(settings)
    with only_json(as_json):
        result = _run_config(config, window.for_tsdat(), [str(window)], quiet=as_json)
    if as_json:
        print_json(asdict(result))
    else:
        _print(result)
    return 0 if result.status == "succeeded" else 1


def _enter_project(settings: Settings) -> None:
    """Make the project importable, and its relative paths valid."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    os.environ.setdefault("TSDAT_STORAGE_ROOT", str(settings.outputs))
    os.chdir(settings.root)  # tsdat's configs name files relative to the project
    pipeline.use_project(settings.root)


def _results(
    settings: Settings, paths: list[Path], *, clump: bool, multidispatch: bool, quiet: bool
) -> Iterator[LocalRun]:
    routes = routing.load(settings.root)
    limits = _archive_limits(settings)
    for path in paths[:1] if clump else paths:
        inputs = paths if clump else [path]
        names = [str(one) for one in inputs]
        try:
            matching = routes.matches(str(path)) if multidispatch else [routes.match(str(path))]
        except UnroutableError as error:
            yield LocalRun(names, status="skipped", reason=str(error))
            continue
        except RoutingError as error:
            yield LocalRun(names, status="failed", reason=str(error))
            continue
        if not matching:
            yield LocalRun(names, status="skipped", reason=f"No pipeline matches {str(path)!r}.")
        for route in matching:
            yield _run_config(Path(route.config), names, names, lambda: _inspect(inputs, limits), quiet=quiet)  # noqa: B023


def _inspect(inputs: list[Path], limits: ArchiveLimits) -> None:
    for path in inputs:
        archives.check(path, limits)


def _archive_limits(settings: Settings) -> ArchiveLimits:
    """Return the function's limits, so that a file fails here as it does there. tsdat alone needs no template."""
    file = settings.root / "template.yaml"
    return ArchiveLimits.from_env(stack_template.load(file).environment if file.exists() else {})


def _run_config(
    config: Path,
    arguments: list[str],
    inputs: list[str],
    inspect: Callable[[], None] = lambda: None,
    *,
    quiet: bool = False,
) -> LocalRun:
    """Run one pipeline config with tsdat.

    Args:
        config: of the pipeline.
        arguments: of tsdat's `Pipeline.run`: files, or the begin and end of a window.
        inputs: what the result names.
        inspect: called first; whatever it raises fails the run.
        quiet: print no line at the start.
    """
    from tsdat import PipelineConfig

    result = LocalRun(inputs, str(config))
    if not quiet:
        results.print(f"▶ {_names(result)} → {config}", markup=False)
    warnings: list[str] = []
    phase = "inspect"
    try:
        inspect()
        with isolated(warnings):
            phase = "load"
            loaded = PipelineConfig.from_yaml(config).instantiate_pipeline()
            phase = "process"
            loaded.run(arguments)
    except Exception as error:  # the failure of one file must not prevent the next run
        result.status, result.error = "failed", redact_failure(failure_of(error, phase), secrets_in(os.environ))
    result.warnings = [redact(warning, secrets_in(os.environ)) for warning in warnings]
    return result


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
