"""Uploads to the output bucket in the background, so that the pipeline continues meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from runner.aws import clients
from runner.errors import ReplacedError
from runner.messages.run_record import Output

# Up to this size a file is held in memory and uploaded in the background. A larger one blocks the pipeline.
_IN_MEMORY_BYTES = 8 * 1024 * 1024


class BackgroundUploads:
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
