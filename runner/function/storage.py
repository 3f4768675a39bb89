"""tsdat's FileSystemS3, told where to store, uploading while the pipeline goes on and remembering what it stored."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import PrivateAttr, field_validator
from tsdat.io.storage import FileSystemS3

from runner.aws import clients
from runner.errors import ReplacedError
from runner.function.phase_timer import Phases
from runner.messages.run_record import Output
from runner.messages.schedule_events import Window

if TYPE_CHECKING:
    import xarray as xr

# Up to here a file is held in memory while it uploads; a larger one goes in parts, before the pipeline goes on.
_IN_MEMORY_BYTES = 8 * 1024 * 1024

# tsdat's own TransformationPipeline writes, in every run, input keys in the form that its retriever warns of as old.
logging.getLogger("tsdat.io.retrievers.storage_retriever_input").setLevel(logging.ERROR)


class OutputBucket(FileSystemS3):
    """The storage that every pipeline gets inside the Lambda, whatever file-based storage its config names."""

    _uploads: Uploads | None = PrivateAttr(default=None)
    _phases: Phases = PrivateAttr(default_factory=Phases)
    _input_uris: dict[str, str] = PrivateAttr(default_factory=dict)
    _window: Window | None = PrivateAttr(default=None)

    # tsdat asks STS who it is and creates a missing bucket. The template made the bucket and the role may not create
    # any: a missing one has to fail, loudly, at the first upload.
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
        phases: Phases,
        input_uris: Mapping[str, str],
        before_first: Callable[[], None],
        window: Window | None = None,
    ) -> Uploads:
        """Prepare for one run.

        Args:
            phases: told what is being done.
            input_uris: names each local input file as the object it was.
            before_first: called before the first upload; may raise ReplacedError, and then nothing is stored.
            window: of a run on what is stored.
        """
        self._phases, self._input_uris, self._window = phases, dict(input_uris), window
        self._uploads = Uploads(self.parameters.bucket, before_first)
        return self._uploads

    @property
    def _bucket(self) -> Any:
        return self._uploads or clients.bucket(self.parameters.bucket)

    def fetch_data(self, start: datetime, end: datetime, datastream: str, *more: Any, **named: Any) -> xr.Dataset:
        """Fetch what is stored, and note how many of its times are in the run's window: tsdat looks beyond it."""
        dataset = super().fetch_data(start, end, datastream, *more, **named)
        if self._uploads is not None and self._window is not None:
            first, last = (np.datetime64(time.replace(tzinfo=None)) for time in (self._window.begin, self._window.end))
            times = dataset["time"].to_numpy() if "time" in dataset else np.array([], "datetime64[ns]")
            self._uploads.fetched[datastream] = int(((first <= times) & (times < last)).sum())
        return dataset

    def save_data(self, dataset: xr.Dataset, **kwargs: Any) -> None:
        """Store a dataset, with its inputs named as objects and not as this run's temporary files."""
        self._phases.enter("save")
        inputs = dataset.attrs.get("inputs")
        if isinstance(inputs, str):
            dataset.attrs["inputs"] = self._input_uris.get(inputs, inputs)
        elif isinstance(inputs, list):
            dataset.attrs["inputs"] = [self._input_uris.get(name, name) for name in inputs]
        super().save_data(dataset, **kwargs)
        self._phases.enter("plot")


class Uploads:
    """An S3 bucket as tsdat uses it, whose uploads run in the background until `finish`."""

    def __init__(self, name: str, before_first: Callable[[], None]) -> None:
        self._name, self._before_first = name, before_first
        self._refusal: ReplacedError | None = None
        self._bucket = clients.bucket(name)
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="upload")
        self._started: list[tuple[Output, Future[Any] | None]] = []
        self.fetched: dict[str, int] = {}
        """How many times in the run's window are stored of each datastream that a VAP reads."""

    def __getattr__(self, name: str) -> Any:  # listing and downloading, for pipelines that read what is stored
        return getattr(self._bucket, name)

    def upload_file(self, Filename: str, Key: str | Path) -> None:  # noqa: N803  boto3's names
        """Take the file, which may be gone as soon as this returns.

        Raises:
            ReplacedError: this would be the first output, and it would be that of an older version.
        """
        if not self._started:
            self._allow()
        path, key = Path(Filename), str(Key)
        size = path.stat().st_size
        future = None
        if size <= _IN_MEMORY_BYTES:
            future = self._pool.submit(self._bucket.put_object, Key=key, Body=path.read_bytes())
        else:
            self._bucket.upload_file(Filename=str(path), Key=key)
        self._started.append(({"bucket": self._name, "key": key, "size": size}, future))

    def _allow(self) -> None:
        try:
            if self._refusal is None:
                self._before_first()
        except ReplacedError as error:
            self._refusal = error
        if self._refusal:
            raise self._refusal

    def finish(self) -> list[Output]:
        """Wait for every upload and list what is stored.

        Raises:
            ReplacedError: nothing was stored, and a pipeline made nothing of it.
            botocore.exceptions.ClientError: the first upload that S3 refused.
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
        """What is in the bucket by now."""
        return [
            output
            for output, future in self._started
            if future is None or (future.done() and future.exception() is None)
        ]
