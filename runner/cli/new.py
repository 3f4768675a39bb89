"""`runner new`: make a pipeline from a sample file, and run it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.options import Data, chosen
from runner.cli.output import progress, results, say, short_path
from runner.errors import RunnerError, ScaffoldError
from runner.settings import Settings

if TYPE_CHECKING:
    from runner.scaffold.plan import Plan
    from runner.scaffold.proposal import Answers
    from runner.scaffold.sample import Sample


def new(
    name: Annotated[str, typer.Argument(help="Of the pipeline: lower case letters, digits and underscores.")],
    sample: Annotated[
        Path, typer.Option("--from", metavar="FILE", help="A file that the instrument wrote.", show_default=False)
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: accept what is proposed.")] = False,
    location: Annotated[str | None, typer.Option(help="Where the data are from, such as roof.")] = None,
    latitude: Annotated[float | None, typer.Option(help="Degrees north.")] = None,
    longitude: Annotated[float | None, typer.Option(help="Degrees east.")] = None,
    time_column: Annotated[str | None, typer.Option(help="Column of the time; or two: Date,Time.")] = None,
    time_format: Annotated[str | None, typer.Option(help="Such as '%d.%m.%Y %H:%M'.")] = None,
    timezone: Annotated[str | None, typer.Option(help="UTC, UTC-08:00 or America/Los_Angeles.")] = None,
    year: Annotated[int | None, typer.Option(help="Of a file with days of the year only.")] = None,
    units: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN=UNITS", help="Such as temp=degF; repeatable.")
    ] = None,
    level: Annotated[str | None, typer.Option(help="a1: as ingested; b1: with quality checks.")] = None,
    title: Annotated[str | None, typer.Option(help="Of the dataset.")] = None,
    institution: Annotated[str | None, typer.Option(help="That produces the data.")] = None,
    trigger: Annotated[str | None, typer.Option(help="Regular expression for the names of files.")] = None,
    sheet: Annotated[str | None, typer.Option(help="Of a workbook. Default: the largest.")] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Compare a file with the sample of an existing pipeline.")
    ] = False,
    data: Data = None,
) -> None:
    """Make a pipeline from a sample file.

    It looks at the file, asks what the file does not say, writes `pipelines/NAME` and runs it on the file. It reads
    CSV and other text tables, xlsx, JSON, NetCDF, Parquet, and zip archives of these. It finds delimiter, header,
    encoding, times, units and missing values. Local times are converted to UTC, and units to those of CF.

    If the pipeline exists, it prints how the file differs from the pipeline's sample.

    Example: `runner new my_met --from data/samples/new/roof_20240501.csv --yes`
    """
    from runner.scaffold.proposal import Answers

    answers = Answers(
        location, latitude, longitude, time_column, time_format, timezone, year, level, title, institution, trigger,
        _pairs(units or []),
    )  # fmt: skip
    settings = chosen(data)
    raise typer.Exit(make(settings, name, sample.absolute(), answers, sheet, asks=not yes, compare=compare))


def _pairs(texts: list[str]) -> dict[str, str]:
    """Return units by column."""
    if wrong := [text for text in texts if "=" not in text]:
        raise ScaffoldError(f"--units {wrong[0]} has no '='. Write the column and its units: --units temp=degF.")
    return {column: unit for column, _, unit in (text.rpartition("=") for text in texts)}


def make(
    settings: Settings, name: str, path: Path, answers: Answers, sheet: str | None, *, asks: bool, compare: bool
) -> int:
    """Make the pipeline, or compare the file with the sample of an existing one, and return the exit code."""
    from runner.packages import install
    from runner.scaffold import formats, pipeline_files, plan

    plan.require_name(name)
    folder = pipeline_files.folder_of(settings.root, name)
    if folder.exists():
        return _compare(settings, name, path, sheet)
    if compare:
        raise ScaffoldError(f"There is no pipeline {folder} to compare with. Make it without --compare.")
    install.use(settings, say)
    sample = formats.read(path, sheet)
    results.print(f"{path.name}: {', '.join(sample.facts)}", markup=False)
    planned = _plan(settings, name, sample, answers, asks=asks)
    _print_plan(planned)
    if asks and not typer.confirm("Write the pipeline?", default=True):
        return 1
    try:
        pipeline_files.write(planned, settings.root)
        _run(settings, planned)
    except BaseException:  # also Ctrl-C: nothing half made is left
        shutil.rmtree(folder, ignore_errors=True)
        raise
    results.print(
        f"\n✔ {short_path(folder)}: next, edit its config/*.yaml, then run `runner check`", markup=False, style="green"
    )
    return 0


def _plan(settings: Settings, name: str, sample: Sample, answers: Answers, *, asks: bool) -> Plan:
    from runner.scaffold import proposal

    def in_use(trigger: str) -> str:
        return _require_free(settings, sample.path, trigger)

    return proposal.make(name, sample, answers, _ask if asks else proposal.accept_defaults, in_use)


def _require_free(settings: Settings, path: Path, trigger: str) -> str:
    """Return the trigger if it matches the sample and no other pipeline does.

    Raises:
        ScaffoldError: it is not valid, or the sample goes to another pipeline.
    """
    import re

    from runner.function import routing

    try:
        if not re.match(trigger, path.name):
            raise ScaffoldError(f"The pattern {trigger!r} does not match the name {path.name!r}. Correct --trigger.")
    except re.error as error:
        raise ScaffoldError(f"{trigger!r} is not a regular expression: {error}. Correct --trigger.") from error
    try:
        taken = routing.load(settings.root).matches(path.name)
    except RunnerError:  # the project's own routes are not valid, or it has no pipeline yet
        return trigger
    if taken:
        raise ScaffoldError(
            f"{path.name} already goes to {taken[0].config}. Rename the file, or make the triggers there narrower."
        )
    return trigger


def _ask(question: str, default: str, check: Callable[[str], object]) -> str:
    from rich.prompt import Prompt

    if not sys.stdin.isatty():
        raise ScaffoldError(f"It would ask: {question}? Nobody can answer here. Add the option for it, or --yes.")
    while True:
        answer = Prompt.ask(question, default=default, console=progress, show_default=bool(default)) or ""
        try:
            check(answer)
        except ScaffoldError as error:
            progress.print(f"  {error}", markup=False, style="yellow")
        else:
            return answer


def _print_plan(plan: Plan) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(show_edge=False, pad_edge=False)
    for heading in ("column", "variable", "units", "standard name", "valid range"):
        table.add_column(heading, overflow="fold")
    for one in plan.variables:
        units = f"{one.input_units} → {one.units}" if one.input_units else one.units
        span = f"{one.valid_range[0]:g} to {one.valid_range[1]:g}" if one.valid_range else ""
        unknown = "" if one.has_known_units else " (assumed)"
        table.add_row(*map(escape, (one.column, one.name, units + unknown, one.standard_name, span)))
    results.print(table)
    zone = "UTC" if plan.is_in_utc else f"{plan.timezone} → UTC"
    results.print(f"time: {plan.times.name} ({plan.times.format}), {zone}, every {plan.temporal or '?'}", markup=False)
    results.print(f"trigger: {plan.trigger}", markup=False)
    if plan.left_out:
        results.print(f"not read, because they are text or empty: {', '.join(plan.left_out)}", markup=False)


def _run(settings: Settings, plan: Plan) -> None:
    """Run the new pipeline on its sample, and print the output.

    Raises:
        ScaffoldError: it failed.
    """
    from runner.cli.local_runs import run_pipelines
    from runner.scaffold import netcdf_summary, pipeline_files

    before = _outputs(settings)
    if run_pipelines(settings, [plan.sample.path], clump=False, multidispatch=False):
        raise ScaffoldError(
            f"The new pipeline failed on {plan.sample.path.name}, so it is removed. The reason is above."
        )
    made = [path for path, changed in _outputs(settings).items() if before.get(path) != changed]
    netcdf = next((path for path in made if path.suffix == ".nc"), None)
    if netcdf is None:
        raise ScaffoldError(f"The new pipeline stored nothing for {plan.sample.path.name}, so it is removed.")
    pipeline_files.add_expected(plan, settings.root, netcdf)
    results.print(f"\n{short_path(netcdf)}", markup=False)
    for line in netcdf_summary.lines(netcdf):
        results.print(f"    {line}", markup=False)
    for plot in (path for path in made if path.suffix == ".png"):
        results.print(f"{short_path(plot)}", markup=False)


def _outputs(settings: Settings) -> dict[Path, int]:
    """Return the output files, each with the time of its last change."""
    return {path: path.stat().st_mtime_ns for path in sorted(settings.outputs.rglob("*")) if path.is_file()}


def _compare(settings: Settings, name: str, path: Path, sheet: str | None) -> int:
    """Print how a file differs from a pipeline's sample, and return 1 if it does."""
    from runner.scaffold import differences, formats, pipeline_files

    old = pipeline_files.sample_of(settings.root, name)
    if old is None:
        raise ScaffoldError(
            f"{pipeline_files.folder_of(settings.root, name)} exists and has no sample to compare with. "
            "Choose another name."
        )
    found = differences.between(formats.read(old, sheet), formats.read(path, sheet))
    results.print(f"The pipeline {name} exists. {path.name} compared with its sample {old.name}:", markup=False)
    for line in found or ["no difference in columns, units, time format and interval"]:
        results.print(f"  {line}", markup=False)
    return 1 if found else 0
