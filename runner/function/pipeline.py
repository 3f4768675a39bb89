"""Runs a tsdat pipeline on local files. With `storage` the only place that knows tsdat, imported in functions."""

from __future__ import annotations

import copy
import gc
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from runner.aws import clients
from runner.errors import NothingStoredError
from runner.function.isolation import contained
from runner.function.phase_timer import Phases
from runner.function.user_modules import Stamp, UserModules, stamp
from runner.messages.run_record import Output, VariableQC
from runner.messages.schedule_events import Window

_Fingerprint = dict[Path, Stamp]
# Pipelines as built from their configs, never run: each run gets a copy, so nothing leaks into the next.
_pristine: dict[Path, tuple[_Fingerprint, Any]] = {}
_projects: dict[Path, UserModules] = {}
# Whether everything loaded is out of garbage collection's way: not between a pipeline's loading and its first success.
_settled = True


@dataclass
class Result:
    """What a run left behind, complete as far as it came."""

    location: str | None = None
    outputs: list[Output] = field(default_factory=list)
    qc: dict[str, VariableQC] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def warm_up() -> None:
    """Import what every run needs, in Lambda's init phase; later garbage collections pass over what is loaded then."""
    gc.disable()  # it would search again and again what is being loaded, for a sixth of the time
    import act.qc  # noqa: F401  tsdat's checks reach it lazily, at the first run
    import matplotlib.pyplot  # noqa: F401
    import netCDF4  # noqa: F401
    import tsdat  # noqa: F401

    import runner.function.storage  # noqa: F401

    clients.s3()
    gc.enable()
    _keep_for_good()


def _keep_for_good() -> None:
    """Take what is loaded now out of garbage collection, which would search all of it again in every run (40 ms)."""
    global _settled
    gc.collect()
    gc.freeze()
    _settled = True


def load(config: Path) -> Any:
    """The tsdat pipeline of a config with the output bucket as its storage, built anew when the user edited a file.

    Raises:
        tsdat.config.utils.ConfigError: the config is not valid, or a module of the user's cannot be imported.
    """
    global _settled
    fingerprint = _fingerprint(config)
    known = _pristine.get(config)
    if (known and known[0] != fingerprint) or any(modules.changed() for modules in _projects.values()):
        _forget_all()
    if config not in _pristine:
        _settled = False
        _pristine[config] = (fingerprint, _build(config))
    return copy.deepcopy(_pristine[config][1])


def _forget_all() -> None:
    """Drop every pipeline, for two of them may share a module, and let garbage collection find the old classes."""
    gc.unfreeze()
    _pristine.clear()
    for modules in _projects.values():
        modules.forget()


def _fingerprint(config: Path) -> _Fingerprint:
    """Every YAML file that a config is likely to name: those of its pipeline and the shared ones."""
    files = [*config.parent.parent.glob("**/*.y*ml"), *Path("shared").glob("**/*.y*ml")]
    return {path: stamp(path) for path in files}


def _build(config: Path) -> Any:
    from tsdat import PipelineConfig, read_yaml

    return PipelineConfig.from_yaml(config, overrides=_storage_override(config, read_yaml)).instantiate_pipeline()


def _storage_override(config: Path, read_yaml: Any) -> dict[str, Any]:
    """Put the output bucket in the place of tsdat's own file storages, keeping their handler and path templates.

    A local folder's `storage_root` means nothing in a bucket: keys begin at `data_storage_path`.
    """
    from jsonpointer import set_pointer
    from tsdat.io.storage import FileSystem, FileSystemS3

    storage = read_yaml(config)["storage"]
    if "path" in storage:
        overrides = storage.get("overrides", {})
        path = storage["path"]
        storage = read_yaml((config.parent / path) if path.startswith(("./", "../")) else Path(path))
        for pointer, value in overrides.items():
            set_pointer(storage, pointer, value)
    module, _, name = storage["classname"].rpartition(".")
    storage_class = getattr(__import__(module, fromlist=[name]), name)
    if storage_class not in (FileSystem, FileSystemS3):
        return {}  # Zarr, or the user's own class: they know where they store
    parameters = dict(storage.get("parameters") or {})
    if storage_class is FileSystem:
        parameters.pop("storage_root", None)
        parameters["TSDAT_STORAGE_ROOT"] = "."
    return {"/storage": {**storage, "classname": "runner.function.storage.OutputBucket", "parameters": parameters}}


class RequireCurrent(Protocol):
    """Raises when an input has been replaced since it was read."""

    def __call__(self, *, stored: bool) -> None:
        """Look; `stored` says whether outputs may be in place already."""


def never_replaced(*, stored: bool) -> None:
    """For inputs that nobody replaces."""


def run(
    config: Path,
    inputs: Mapping[Path, str],
    phases: Phases,
    result: Result,
    require_current: RequireCurrent = never_replaced,
    window: Window | None = None,
) -> None:
    """Run a config's pipeline on files, or a VAP's on a window, and store what it makes in the output bucket.

    Args:
        config: path of the pipeline's config, relative to the project (the working directory).
        inputs: local files, each with the URI of the object it came from.
        phases: told what is being done.
        result: filled as the run goes, so that a failed run still tells what it stored and warned of.
        require_current: asked before the first output is stored, and after the last.
        window: of what is stored, for a pipeline that takes no files.

    Raises:
        ReplacedError: an input was replaced meanwhile.
        NothingStoredError: a VAP failed because it found nothing in its window.
        Exception: whatever the pipeline, tsdat or S3 raises.
    """
    with contained(result.warnings):
        phases.enter("load")
        pipeline = load(config)
        uris = {str(path): uri for path, uri in inputs.items()}
        begin = getattr(pipeline.storage, "begin", None)
        uploads = begin(phases, uris, lambda: require_current(stored=False), window) if begin else None
        phases.enter("process")
        try:
            dataset = pipeline.run(window.for_tsdat() if window else list(uris))
            result.location = getattr(dataset, "attrs", {}).get("location_id")
            result.qc = summarise_qc(dataset)
            phases.enter("upload")
            if uploads is None or uploads.finish():  # a storage of the user's own does not tell what it stored
                require_current(stored=True)
        except Exception as error:
            if window and uploads and uploads.fetched and not any(uploads.fetched.values()):
                raise NothingStoredError(_nothing(uploads.fetched, window)) from error
            raise
        finally:
            if uploads:
                result.outputs = uploads.stored
    if not _settled:  # the first run of a pipeline loads more modules
        _keep_for_good()


def _nothing(datastreams: Iterable[str], window: Window) -> str:
    names = " or ".join(datastreams)
    return f"Nothing is stored of {names} from {window}. Run what makes it, then this window again: `runner trigger`."


def summarise_qc(dataset: Any) -> dict[str, VariableQC]:
    """How many samples of each variable each check flagged, out of ACT's bit-packed qc_ variables."""
    summary: dict[str, VariableQC] = {}
    for name, variable in getattr(dataset, "data_vars", {}).items():
        masks = variable.attrs.get("flag_masks")
        if not str(name).startswith("qc_") or masks is None:
            continue
        meanings = variable.attrs.get("flag_meanings", [])
        meanings = meanings.split() if isinstance(meanings, str) else list(meanings)
        values = variable.to_numpy()
        counts = {str(m): int(((values & int(mask)) != 0).sum()) for mask, m in zip(masks, meanings, strict=False)}
        summary[str(name).removeprefix("qc_")] = {
            "samples": int(values.size),
            "flagged": {meaning: count for meaning, count in counts.items() if count},
        }
    return summary


def use_project(root: Path) -> None:
    """Make a project's `pipelines`, `shared` and `utils` importable from the working directory, edits included."""
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    if root not in _projects:
        _projects[root] = UserModules(root)
        _projects[root].install()
