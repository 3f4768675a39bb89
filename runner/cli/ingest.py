"""tsdat's own way, without S3, queue and Lambda: pipelines run on local files and store as their configs say."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from runner.cli.output import results
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


def ingest(settings: Settings, files: list[Path], *, clump: bool, multidispatch: bool) -> int:
    """Run the pipelines that match the files; gives the exit code, 0 when none failed.

    Args:
        clump: give all files to one run; the first file chooses the pipeline.
        multidispatch: let a file run all the pipelines that it matches.
    """
    os.environ.setdefault("MPLBACKEND", "Agg")
    os.environ.setdefault("TSDAT_STORAGE_ROOT", str(settings.outputs))
    paths = [path.absolute() for path in files]
    os.chdir(settings.root)  # tsdat's configs name files relative to the project
    pipeline.use_project(settings.root)
    routes = routing.load(settings.root)
    limits = _archive_limits(settings)
    counts = {"successes": 0, "failures": 0, "skipped": 0}
    for path in paths[:1] if clump else paths:
        try:
            found = routes.matches(str(path)) if multidispatch else [routes.match(str(path))]
        except UnroutableError as error:
            counts["skipped"] += 1
            results.print(f"– {error}", markup=False, style="yellow")
            continue
        except RoutingError as error:
            counts["failures"] += 1
            results.print(f"✗ {error}", markup=False, style="red")
            continue
        counts["skipped"] += not found
        for route in found:
            counts["successes" if _run(route, paths if clump else [path], limits) else "failures"] += 1
    results.print(", ".join(f"{count} {name}" for name, count in counts.items()))
    return 1 if counts["failures"] else 0


def _archive_limits(settings: Settings) -> ArchiveLimits:
    """Those of the function, so that a file fails here as it does there; tsdat alone needs no template."""
    file = settings.root / "template.yaml"
    return ArchiveLimits.from_env(stack_template.load(file).environment if file.exists() else {})


def vap(settings: Settings, config: Path, begin: datetime, end: datetime) -> int:
    """Run a VAP's config on a window of what is stored; gives the exit code, 0 when it did not fail."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    os.environ.setdefault("TSDAT_STORAGE_ROOT", str(settings.outputs))
    config = config.absolute()
    os.chdir(settings.root)
    pipeline.use_project(settings.root)
    window = Window(begin, end)
    return 0 if _run_config(config, window.for_tsdat(), str(window)) else 1


def _run(route: routing.Route, inputs: list[Path], limits: ArchiveLimits) -> bool:
    def inspect() -> None:
        for path in inputs:
            archives.check(path, limits)

    names = ", ".join(path.name for path in inputs)
    return _run_config(Path(route.config), [str(path) for path in inputs], names, inspect)


def _run_config(config: Path, arguments: list[str], names: str, inspect: Callable[[], None] = lambda: None) -> bool:
    from tsdat import PipelineConfig

    results.print(f"▶ {names} → {config}", markup=False)
    warnings: list[str] = []
    phase = "inspect"
    try:
        inspect()
        with isolated(warnings):
            phase = "load"
            loaded = PipelineConfig.from_yaml(config).instantiate_pipeline()
            phase = "process"
            loaded.run(arguments)
    except Exception as error:  # one file's failure must not keep the next from its run
        _explain(names, failure_of(error, phase))
        return False
    for warning in warnings:
        results.print(f"  warning: {redact(warning, secrets_in(os.environ))}", markup=False, style="yellow")
    results.print(f"✔ {names}", markup=False, style="green")
    return True


def _explain(names: str, failure: Failure) -> None:
    results.print(f"✗ {names}", markup=False, style="red")
    shown = redact_failure(failure, secrets_in(os.environ))
    for line in [*run_summary.error_lines(shown), "next: fix it, then run this command again"]:
        results.print(f"    {line}", markup=False)
