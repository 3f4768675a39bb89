"""tsdat's FileSystemS3, with uploads in the background and a record of what was stored."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from jsonpointer import set_pointer
from pydantic import PrivateAttr, field_validator
from tsdat import read_yaml
from tsdat.io.storage import FileSystem, FileSystemS3

from runner.aws import clients
from runner.function.background_uploads import BackgroundUploads
from runner.function.isolation import TemporaryFolder
from runner.function.phase_timer import PhaseTimer
from runner.messages.schedule_events import Window

if TYPE_CHECKING:
    import xarray as xr

# tsdat's own TransformationPipeline uses the form of input keys that its retriever warns of as deprecated.
logging.getLogger("tsdat.io.retrievers.storage_retriever_input").setLevel(logging.ERROR)


class OutputBucket(FileSystemS3):
    """The storage of every pipeline in the Lambda whose config names one of tsdat's file storages."""

    _uploads: BackgroundUploads | None = PrivateAttr(default=None)
    _phases: PhaseTimer = PrivateAttr(default_factory=PhaseTimer)
    _input_uris: dict[str, str] = PrivateAttr(default_factory=dict)
    _window: Window | None = PrivateAttr(default=None)

    # tsdat calls STS, and creates the bucket if it is missing. Here the template creates it, the role may not, and a
    # missing bucket must fail at the first upload.
    @field_validator("parameters")
    @classmethod
    def _check_authentication(cls, parameters: Any) -> Any:
        return parameters

    @field_validator("parameters")
    @classmethod
    def _ensure_bucket_exists(cls, parameters: Any) -> Any:
        return parameters

    def begin(
        self,
        phases: PhaseTimer,
        input_uris: Mapping[str, str],
        before_first: Callable[[], None],
        window: Window | None = None,
    ) -> BackgroundUploads:
        """Prepare for one run.

        Args:
            phases: records the current phase.
            input_uris: the URI of the source object by the path of each local input file.
            before_first: called before the first upload. If it raises ReplacedError, nothing is stored.
            window: the window of a VAP.
        """
        self._phases, self._input_uris, self._window = phases, dict(input_uris), window
        self._uploads = BackgroundUploads(self.parameters.bucket, before_first)
        return self._uploads

    @property
    def _bucket(self) -> Any:
        return self._uploads or clients.bucket(self.parameters.bucket)

    def fetch_data(self, start: datetime, end: datetime, datastream: str, *more: Any, **named: Any) -> xr.Dataset:
        """Fetch stored data, and count its times in the run's window, because tsdat also fetches data around it."""
        dataset = super().fetch_data(start, end, datastream, *more, **named)
        if self._uploads is not None and self._window is not None:
            first, last = (np.datetime64(time.replace(tzinfo=None)) for time in (self._window.begin, self._window.end))
            times = dataset["time"].to_numpy() if "time" in dataset else np.array([], "datetime64[ns]")
            self._uploads.fetched[datastream] = int(((first <= times) & (times < last)).sum())
        return dataset

    def save_data(self, dataset: xr.Dataset, **kwargs: Any) -> None:
        """Store a dataset. Its `inputs` attribute names source objects instead of this run's temporary files."""
        self._phases.enter("save")
        inputs = dataset.attrs.get("inputs")
        if isinstance(inputs, str):
            dataset.attrs["inputs"] = self._input_uris.get(inputs, inputs)
        elif isinstance(inputs, list):
            dataset.attrs["inputs"] = [self._input_uris.get(name, name) for name in inputs]
        self._write_and_upload(dataset)
        self._phases.enter("plot")

    def _write_and_upload(self, dataset: xr.Dataset) -> None:
        """Do what tsdat's save_data does, in a folder that notes with an exception whether /tmp was full."""
        template, substitutions = self.data_filepath_template, self._get_substitutions(dataset=dataset)
        key = PurePosixPath(template.substitute(substitutions, allow_missing=False))
        writer: Any = self.handler.writer
        with TemporaryFolder(prefix="save-") as folder:
            writer.write(dataset, Path(folder, key.name))
            for path in sorted(Path(folder).rglob("*")):  # some writers make several files
                if path.is_file():
                    self._bucket.upload_file(Filename=str(path), Key=str(key.parent / path.relative_to(folder)))


def override(config: Path) -> dict[str, Any]:
    """Return the overrides with which a pipeline config stores in the output bucket instead of tsdat's file storages.

    The data handler and the path templates stay. The `storage_root` of a local folder is dropped: keys in the bucket
    begin at `data_storage_path`.
    """
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
        return {}  # Zarr, or the user's own class, which knows where to store
    parameters = dict(storage.get("parameters") or {})
    if storage_class is FileSystem:
        parameters.pop("storage_root", None)
        parameters["TSDAT_STORAGE_ROOT"] = "."
    return {"/storage": {**storage, "classname": "runner.function.storage.OutputBucket", "parameters": parameters}}
