"""Uploads to the output bucket in the background, so that the pipeline continues meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from hashlib import md5
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from botocore.exceptions import ClientError

from runner.aws import clients
from runner.errors import ReplacedError
from runner.messages.run_record import Output

# Up to this size a file is held in memory and uploaded in the background. A larger one blocks the pipeline.
_IN_MEMORY_BYTES = 8 * 1024 * 1024
# The metadata of an output that names its input, percent-encoded.
_INPUT = "tsdat-input"


class BackgroundUploads:
    """An S3 bucket for tsdat, with uploads in the background until `finish`."""

    def __init__(
        self, name: str, before_first: Callable[[], None], bucket: Any = None, input_key: str | None = None
    ) -> None:
        self._metadata = {_INPUT: quote(input_key)} if input_key else {}
        self._name, self._before_first = name, before_first
        self._refusal: ReplacedError | None = None
        self._bucket = bucket or clients.bucket(name)
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="upload")
        self._started: list[tuple[Output, Future[Any] | None]] = []
        self.fetched: dict[str, int] = {}
        """For a VAP: the number of stored times in its window, by datastream."""

    def __getattr__(self, name: str) -> Any:
        """Return what lists, reads or deletes; it must see everything that was stored before."""
        self._await(future for _, future in self._started)
        return getattr(self._bucket, name)

    @staticmethod
    def _await(futures: Iterable[Future[Any] | None]) -> None:
        """Wait, without raising what failed: `finish` does."""
        wait([future for future in futures if future is not None])

    def upload_file(self, Filename: str, Key: str | Path) -> None:  # noqa: N803  boto3's names
        """Upload a file, which the caller may delete as soon as this returns.

        Raises:
            ReplacedError: this is the first output, and the input was replaced meanwhile.
        """
        if not self._started:
            self._require_current()
        path, key = Path(Filename), str(Key)
        size = path.stat().st_size
        # The last content that the pipeline stores under a key must be the one that stays.
        self._await(future for output, future in self._started if output["key"] == key)
        output: Output = {"bucket": self._name, "key": key, "size": size}
        future = None
        if size <= _IN_MEMORY_BYTES:
            future = self._pool.submit(self._put, output, path.read_bytes())
        else:
            self._note_replaced(output)
            self._bucket.upload_file(Filename=str(path), Key=key, ExtraArgs={"Metadata": self._metadata})
        self._started.append((output, future))

    def _put(self, output: Output, content: bytes) -> None:
        self._note_replaced(output, content)
        self._bucket.put_object(Key=output["key"], Body=content, Metadata=self._metadata)

    def _note_replaced(self, output: Output, content: bytes | None = None) -> None:
        """Note which other input the object was made from that this output replaces, unless its content is the same."""
        if not self._metadata:
            return
        before = self._bucket.Object(output["key"])
        try:
            known = before.metadata.get(_INPUT)
        except ClientError:  # there is none
            return
        is_same = content is not None and before.e_tag.strip('"') == md5(content, usedforsecurity=False).hexdigest()
        if known and known != self._metadata[_INPUT] and not is_same:
            output["replaced_input"] = unquote(known)

    def _require_current(self) -> None:
        try:
            if self._refusal is None:
                self._before_first()
        except ReplacedError as error:
            self._refusal = error
        if self._refusal:
            raise self._refusal

    def await_all(self) -> None:
        """Wait for all uploads, whether they succeed or not."""
        self._pool.shutdown(wait=True)

    def finish(self) -> list[Output]:
        """Wait for all uploads and return the stored outputs.

        Raises:
            ReplacedError: nothing was stored because the input was replaced, and the pipeline ignored that error.
            botocore.exceptions.ClientError: S3 refused an upload; the first such error.
        """
        self.await_all()
        if self._refusal:
            raise self._refusal
        for _, future in self._started:
            if future is not None:
                future.result()
        return self.stored

    @property
    def stored(self) -> list[Output]:
        """The outputs that are in the bucket by now, each key once."""
        stored = {
            output["key"]: output
            for output, future in self._started
            if future is None or (future.done() and future.exception() is None)
        }
        return list(stored.values())
