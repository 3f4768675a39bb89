"""tsdat's FileSystemS3, with uploads in the background and a record of what was stored."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import PrivateAttr, field_validator
from tsdat.io.storage import FileSystemS3

from runner.aws import clients
from runner.errors import ReplacedError
from runner.function.isolation import TemporaryFolder
from runner.function.phase_timer import PhaseTimer
from runner.messages.run_record import Output
from runner.messages.schedule_events import Window

if TYPE_CHECKING:
    import xarray as xr

# Up to this size a file is held in memory and uploaded in the background. A larger one blocks the pipeline.
_IN_MEMORY_BYTES = 8 * 1024 * 1024

# tsdat's own TransformationPipeline uses the form of input keys that its retriever warns of as deprecated.
logging.getLogger("tsdat.io.retrievers.storage_retriever_input").setLevel(logging.ERROR)


class OutputBucket(FileSystemS3):
    """The storage of every pipeline in the Lambda whose config names one of tsdat's file storages."""

    _uploads: Uploads | None = PrivateAttr(default=None)
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
    ) -> Uploads:
        """Prepare for one run.

        Args:
            phases: records the current phase.
            input_uris: the URI of the source object by the path of each local input file.
            before_first: called before the first upload. If it raises ReplacedError, nothing is stored.
            window: the window of a VAP.
        """
        self._phases, self._input_uris, self._window = phases, dict(input_uris), window
        self._uploads = Uploads(self.parameters.bucket, before_first)
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


class Uploads:
    """An S3 bucket for tsdat, with uploads in the background until `finish`."""

    def __init__(self, name: str, before_first: Callable[[], None]) -> None:
        self._name, self._before_first = name, before_first
        self._refusal: ReplacedError | None = None
        self._bucket = clients.bucket(name)
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="upload")
        self._started: list[tuple[Output, Future[Any] | None]] = []
        self.fetched: dict[str, int] = {}
        """For a VAP: the number of stored times in its window, by datastream."""

    def __getattr__(self, name: str) -> Any:  # list and download, for pipelines that read stored data
        return getattr(self._bucket, name)

    def upload_file(self, Filename: str, Key: str | Path) -> None:  # noqa: N803  boto3's names
        """Upload a file, which the caller may delete as soon as this returns.

        Raises:
            ReplacedError: this is the first output, and the input was replaced meanwhile.
        """
        if not self._started:
            self._require_current()
        path, key = Path(Filename), str(Key)
        size = path.stat().st_size
        future = None
        if size <= _IN_MEMORY_BYTES:
            future = self._pool.submit(self._bucket.put_object, Key=key, Body=path.read_bytes())
        else:
            self._bucket.upload_file(Filename=str(path), Key=key)
        self._started.append(({"bucket": self._name, "key": key, "size": size}, future))

    def _require_current(self) -> None:
        try:
            if self._refusal is None:
                self._before_first()
        except ReplacedError as error:
            self._refusal = error
        if self._refusal:
            raise self._refusal

    def finish(self) -> list[Output]:
        """Wait for all uploads and return the stored outputs.

        Raises:
            ReplacedError: nothing was stored because the input was replaced, and the pipeline ignored that error.
            botocore.exceptions.ClientError: S3 refused an upload; the first such error.
        """
        self._pool.shutdown(wait=True)
        if self._refusal:
            raise self._refusal
        for _, future in self._started:
            if future is not None:
                future.result()
        return self.stored

    @property
    def stored(self) -> list[Output]:
        """The outputs that are in the bucket by now."""
        return [
            output
            for output, future in self._started
            if future is None or (future.done() and future.exception() is None)
        ]
