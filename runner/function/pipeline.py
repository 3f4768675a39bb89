"""Runs a tsdat pipeline on local files. Only this module and `storage` know tsdat, which they import in functions."""

from __future__ import annotations

import copy
import gc
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from runner.aws import clients
from runner.errors import NothingStoredError, PipelineExitError
from runner.function import adi, quality_summary
from runner.function.isolation import isolated
from runner.function.phase_timer import PhaseTimer
from runner.function.process_state import Changes, ProcessState
from runner.messages.run_record import Output, VariableQC
from runner.messages.schedule_events import Window

_STORED_NOTHING = "The pipeline ran to its end and stored nothing."


@dataclass
class BuiltPipeline:
    """A pipeline as built from its config. It is never run: each run gets a copy, so nothing leaks into the next."""

    pristine: Any
    changes: Changes
    """What loading it has set for the process; its runs see that again."""
    has_succeeded: bool = False


PACKAGES = ("pipelines", "shared", "utils")
"""The top-level packages of a project."""

built: dict[Path, BuiltPipeline] = {}
"""Pipelines by config path, built at their first run."""


@dataclass
class Result:
    """What a run produced; after a failure, what it had produced by then."""

    location: str | None = None
    outputs: list[Output] = field(default_factory=list)
    qc: dict[str, VariableQC] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def warm_up() -> None:
    """Import what every run needs, in Lambda's init phase."""
    gc.disable()  # collections during the imports take a sixth of their time
    import act.qc  # noqa: F401  otherwise tsdat's checks import it in the first run
    import matplotlib.pyplot  # noqa: F401
    import netCDF4  # noqa: F401
    import tsdat  # noqa: F401

    import runner.function.storage  # noqa: F401

    clients.s3()
    gc.enable()
    _freeze()


def _freeze() -> None:
    """Exclude what is loaded now from garbage collection, which would search all of it again in every run (40 ms)."""
    gc.collect()
    gc.freeze()


def load(config: Path, overrides: Callable[[Path], dict[str, Any]] | None = None) -> Any:
    """Return a fresh copy of a config's tsdat pipeline.

    Args:
        config: path of the pipeline's config.
        overrides: returns what tsdat replaces in a config; by default the storage, by the output bucket.

    Raises:
        tsdat.config.utils.ConfigError: the config is not valid, or a user module cannot be imported.
    """
    for one in built.values():  # a module that two pipelines share is loaded only once
        one.changes.apply()
    if config not in built:
        before, modules = ProcessState.now(), set(sys.modules)
        try:
            pristine = _build(config, overrides)
        except BaseException:
            forget(set(sys.modules) - modules)
            raise
        built[config] = BuiltPipeline(pristine, before.changes_to(ProcessState.now()))
    known = built[config]
    known.changes.apply()
    try:
        return copy.deepcopy(known.pristine)
    except Exception:  # it holds a lock, a connection or a model
        return _build(config, overrides)


def _build(config: Path, overrides: Callable[[Path], dict[str, Any]] | None) -> Any:
    from tsdat import PipelineConfig

    from runner.function import storage

    replaced = (overrides or storage.override)(config)
    pipeline = PipelineConfig.from_yaml(config, overrides=replaced).instantiate_pipeline()
    adi.refuse(pipeline)
    return pipeline


def forget(modules: Iterable[str]) -> None:
    """Forget modules of the project, because an import that failed leaves some of them half executed."""
    for name in modules:
        if name.partition(".")[0] in PACKAGES:
            sys.modules.pop(name, None)


class RequireCurrent(Protocol):
    """Raises ReplacedError if an input was replaced since it was downloaded."""

    def __call__(self, *, stored: bool) -> None:
        """Check all inputs; `stored` is whether outputs may have been stored already."""


def accept_any_version(*, stored: bool) -> None:
    """Check nothing, for inputs that cannot be replaced."""


def run(
    config: Path,
    inputs: Mapping[Path, str],
    phases: PhaseTimer,
    result: Result,
    require_current: RequireCurrent = accept_any_version,
    window: Window | None = None,
) -> None:
    """Run a config's pipeline on files, or a VAP's on a window, and store its outputs in the output bucket.

    Args:
        config: path of the pipeline's config, relative to the project (the working directory).
        inputs: local files, each with the URI of its source object.
        phases: records the current phase and how long each one takes.
        result: filled during the run, so that the record of a failed run has its outputs and warnings too.
        require_current: called before the first output is stored, and after the last.
        window: the span of stored data to process, for a pipeline that takes no files.

    Raises:
        ReplacedError: an input was replaced during the run.
        NothingStoredError: a VAP failed because nothing is stored in its window.
        Exception: any exception of the pipeline, tsdat or S3.
    """
    with isolated(result.warnings):
        phases.enter("load")
        pipeline = load(config)
        uris = {str(path): uri for path, uri in inputs.items()}
        begin = getattr(pipeline.storage, "begin", None)
        uploads = begin(phases, uris, lambda: require_current(stored=False), window) if begin else None
        phases.enter("process")
        try:
            dataset = pipeline.run(window.for_tsdat() if window else list(uris))
            _summarize(dataset, result)
            phases.enter("upload")
            if uploads is not None and not uploads.finish():
                raise NothingStoredError(_STORED_NOTHING)
            require_current(stored=True)  # a storage class of the user's own does not report what it stored
        except Exception as error:
            if window and uploads and uploads.fetched and not any(uploads.fetched.values()):
                raise NothingStoredError(_nothing_stored(uploads.fetched, window)) from error
            raise
        except (SystemExit, KeyboardInterrupt) as error:  # it must not stop the Lambda, and fails only this file
            raise exit_error(error) from error
        finally:
            if uploads:  # what a failed run had stored by then is in the bucket, too
                uploads.await_all()
                result.outputs = uploads.stored
                result.warnings += [
                    f"{output['key']} replaced the output of {output['replaced_input']}, which has the same name."
                    for output in result.outputs
                    if "replaced_input" in output
                ]
    if not built[config].has_succeeded:  # a pipeline's first run imports more modules
        built[config].has_succeeded = True
        _freeze()


def exit_error(error: BaseException) -> PipelineExitError:
    """Return the failure of a run that tried to stop Python."""
    found = PipelineExitError(f"The pipeline stopped Python by {type(error).__name__}: {error}")
    found.__cause__ = error
    return found


def _summarize(dataset: Any, result: Result) -> None:
    """Describe the dataset in the run's result. The outputs are stored by now, so nothing here may fail the run."""
    try:
        result.location = getattr(dataset, "attrs", {}).get("location_id")
        result.qc = quality_summary.summarize(dataset)
    except Exception as error:
        result.warnings.append(f"The quality checks are not summarized: {type(error).__name__}: {error}")


def _nothing_stored(datastreams: Iterable[str], window: Window) -> str:
    names = " or ".join(datastreams)
    return (
        f"No data of {names} is stored from {window}. Run the pipeline that produces it, then this window again: "
        "`runner trigger`."
    )


def use_project(root: Path) -> None:
    """Make a project's `pipelines`, `shared` and `utils` importable."""
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
