"""tsdat's FileSystemS3, with uploads in the background and a record of what was stored."""

from __future__ import annotations

import importlib
import logging
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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


S3_PARAMETERS = ("bucket", "region", "TSDAT_S3_BUCKET_NAME", "AWS_DEFAULT_REGION")
"""The parameters of FileSystemS3 that say where its bucket is."""


@dataclass(frozen=True)
class StoredFolder:
    """A folder in the bucket that holds one dataset; `last_modified` is that of one of its objects."""

    key: str
    last_modified: datetime


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
        # s3://bucket/key; a run of several inputs has no single one to name.
        (input_key,) = [uri.split("/", 3)[3] for uri in input_uris.values()] if len(input_uris) == 1 else [None]
        self._uploads = BackgroundUploads(self.parameters.bucket, before_first, input_key=input_key)
        return self._uploads

    @property
    def _bucket(self) -> Any:
        return self._uploads or clients.bucket(self.parameters.bucket)

    def _get_matching_s3_objects(self, filepath_glob: str) -> list[Any]:
        """Find files, and folders such as those of Zarr, which tsdat cannot find in a bucket."""
        found = super()._get_matching_s3_objects(filepath_glob)
        pattern, folders = re.compile(filepath_glob), {}
        for item in self._bucket.objects.filter(Prefix=re.split(r"\.\*|\[0-9\]", filepath_glob)[0]):
            for parent in PurePosixPath(item.key).parents:
                if pattern.fullmatch(str(parent)):
                    folders[str(parent)] = StoredFolder(str(parent), item.last_modified)
        return [*found, *folders.values()]

    def _open_data_files(self, *filepaths: Path) -> list[xr.Dataset]:
        """Open files and folders, each from a local copy."""
        return [dataset for path in filepaths for dataset in self._open(path)]

    def _open(self, path: Path) -> list[xr.Dataset]:
        inner = [item.key for item in self._bucket.objects.filter(Prefix=f"{path.as_posix()}/")]
        if not inner:
            return super()._open_data_files(path)
        with TemporaryFolder(prefix="fetch-") as folder:
            for key in inner:
                target = Path(folder, PurePosixPath(key).relative_to(path.parent.as_posix()))
                target.parent.mkdir(parents=True, exist_ok=True)
                self._bucket.download_file(Key=key, Filename=str(target))
            data = self.handler.reader.read(str(Path(folder, path.name)))
            found = list(data.values()) if isinstance(data, dict) else [data]
            return [dataset.load() for dataset in found]

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
    """Return the overrides with which a pipeline config stores in the output bucket instead of where it says.

    They apply to tsdat's file storages and to classes that the user derived from them. The data handler, the path
    templates and the user's methods stay. The `storage_root` of a local folder and the `bucket` are dropped: keys begin
    at `data_storage_path`, in the bucket of the template.
    """
    storage = configured(config)
    storage_class = class_of(storage)
    if not (isinstance(storage_class, type) and issubclass(storage_class, FileSystem)):
        return {}  # Zarr, or the user's own class, which knows where to store
    parameters = dict(storage.get("parameters") or {})
    for name in S3_PARAMETERS:
        parameters.pop(name, None)
    if not issubclass(storage_class, FileSystemS3):
        parameters.pop("storage_root", None)
        parameters["TSDAT_STORAGE_ROOT"] = "."
    name = output_class(storage_class)
    return {"/storage": {**storage, "classname": f"{__name__}.{name}", "parameters": parameters}}


def configured(config: Path) -> dict[str, Any]:
    """Return the storage section of a pipeline's config, with the file that it names and its overrides."""
    storage: dict[str, Any] = read_yaml(config)["storage"]
    if "path" in storage:
        overrides = storage.get("overrides", {})
        path = storage["path"]
        storage = read_yaml((config.parent / path) if path.startswith(("./", "../")) else Path(path))
        for pointer, value in overrides.items():
            set_pointer(storage, pointer, value)
    return storage


def class_of(storage: Mapping[str, Any]) -> Any:
    """Return the class that a storage section names."""
    module, _, name = str(storage["classname"]).rpartition(".")
    return getattr(importlib.import_module(module), name)


def output_class(storage_class: type[FileSystem]) -> str:
    """Return the name, in this module, of the class that stores in the output bucket as a class of the user does."""
    if storage_class in (FileSystem, FileSystemS3):
        return OutputBucket.__name__
    made = type(f"OutputBucketOf{storage_class.__name__}", (storage_class, OutputBucket), {"__module__": __name__})
    setattr(sys.modules[__name__], made.__name__, made)
    return made.__name__
