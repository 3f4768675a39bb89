"""Copy outputs from the destination bucket to data/outputs, their keys as paths, and back into a new bucket."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
import uuid
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from runner.aws.s3 import EPOCH_TAG, bucket_epoch, list_objects
from runner.messages.object_keys import refused

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

log = logging.getLogger("outputs")

_CHECK_INTERVAL_S = 1.0
# After a complete look at the bucket, the next waits so long.
_LIST_INTERVAL_S = 30.0
# A new bucket gets so many files at once, in half a minute or so; more only when a run needs them.
_MOST_RESTORED_AT_START = 5_000
# File systems allow 255; a copy in progress has a longer name.
_LONGEST_NAME_BYTES = 249
# Threads that copy the same key wait for each other; others with the same lock are few.
_LOCKS = 64
_RESTORED = "tsdat-restored"  # metadata: a run whose outputs are not copied yet has stored another content
_md5 = partial(hashlib.md5, usedforsecurity=False)  # the ETag of an object that was not uploaded in parts


class OutputMirror:
    """The destination bucket and the folder that shows it. Files that the bucket does not have stay."""

    def __init__(self, s3: S3Client, bucket: str, folder: Path, source_bucket: str) -> None:
        """Args: source_bucket: complete only when provisioning is finished with both buckets."""
        self._s3, self._bucket, self._folder, self._source_bucket = s3, bucket, folder, source_bucket
        self._locks = [threading.Lock() for _ in range(_LOCKS)]
        self._is_listing_due = threading.Event()
        self._is_listing_due.set()
        self._list_at = 0.0
        self._compared: dict[str, tuple[str, int, int]] = {}
        """Of each file whose content was compared with its object: the ETag, and the file's mtime and ctime."""
        self._is_restore_needed = threading.Event()
        self._postponed_for: str | None = None

    def copy(self, keys: Iterable[str]) -> None:
        """Copy objects to the folder; when it returns, the files are there.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: S3 does not answer, or an object is gone.
            OSError: a file cannot be written.
            ValueError: a key cannot be a file's path.
        """
        for key in dict.fromkeys(keys):
            self._copy(key, of_run=True)

    def copy_unlisted(self) -> None:
        """Copy, soon, what a storage class of the user's own stored: its runs list no outputs."""
        self._is_listing_due.set()

    def _copy(self, key: str, *, of_run: bool = False) -> None:
        path = self._path(key)
        # One at a time for a key, so that the last to be copied is the newest.
        with self._locks[hash(key) % _LOCKS]:
            partial_file = path.with_name(f".{path.name}.part")
            found = self._s3.get_object(Bucket=self._bucket, Key=key)
            if of_run and found.get("Metadata", {}).get(_RESTORED):
                raise ValueError(
                    f"{key} is lost with the emulator, and what is there was restored from an earlier run."
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial_file.open("wb") as file:
                for chunk in found["Body"].iter_chunks(1024 * 1024):
                    file.write(chunk)
            partial_file.replace(path)

    def _path(self, key: str) -> Path:
        """Return the file of a key.

        Raises:
            ValueError: it would lead out of the folder, or no file can have its name.
        """
        parts = PurePosixPath(key).parts
        if not parts or key.startswith("/") or ".." in parts:
            raise ValueError(f"The output key {key!r} leads out of {self._folder}.")
        if "\0" in key or any(len(part.encode()) > _LONGEST_NAME_BYTES for part in parts):
            raise ValueError(
                f"The output key {key!r} cannot be a path: a name is too long or contains a NUL character."
            )
        return self._folder.joinpath(*parts)

    def run(self, stop: threading.Event) -> None:
        """Keep folder and bucket equal where no run does, until `stop` is set: after a start, and on request."""
        while not stop.wait(_CHECK_INTERVAL_S):
            try:
                self._restore_if_new(bucket_epoch(self._s3, self._source_bucket))
                if self._is_listing_due.is_set() and time.monotonic() >= self._list_at:
                    self._is_listing_due.clear()
                    self._copy_all()
                    self._list_at = time.monotonic() + _LIST_INTERVAL_S
            except (ClientError, BotoCoreError, OSError) as error:
                self._is_listing_due.set()
                log.debug("%s and %s are not equal yet: %s", self._folder, self._bucket, error)

    def _restore_if_new(self, epoch: str | None) -> None:
        """Put the files of the folder into a new bucket: the emulator starts empty, and VAPs read stored outputs."""
        is_postponed = epoch == self._postponed_for and not self._is_restore_needed.is_set()
        if epoch is None or is_postponed or bucket_epoch(self._s3, self._bucket):
            return
        files = sorted(path for path in self._folder.rglob("*") if path.is_file() and path.suffix != ".part")
        if len(files) > _MOST_RESTORED_AT_START and not self._is_restore_needed.is_set():
            self._postponed_for = epoch
            log.info("%d outputs are put back into %s when a scheduled run needs them", len(files), self._bucket)
            return
        self._restore(files)
        tags: Any = [*self._tags(), {"Key": EPOCH_TAG, "Value": uuid.uuid4().hex}]
        self._s3.put_bucket_tagging(Bucket=self._bucket, Tagging={"TagSet": tags})

    def is_complete(self) -> bool:
        """Return whether a run may read stored outputs: all are back, or there is no bucket, so that the run fails."""
        self._is_restore_needed.set()
        try:
            if bucket_epoch(self._s3, self._source_bucket) is None:
                return False
            return any(tag["Key"] == EPOCH_TAG for tag in self._tags())
        except ClientError as error:
            return error.response["Error"]["Code"] == "NoSuchBucket"
        except BotoCoreError:
            return False

    def _tags(self) -> Sequence[Any]:
        """Return the tags that the template gives the bucket."""
        try:
            return self._s3.get_bucket_tagging(Bucket=self._bucket)["TagSet"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchTagSet":
                raise
            return []

    def _restore(self, files: Iterable[Path]) -> None:
        mark = {_RESTORED: "yes"}
        for path in files:
            key = path.relative_to(self._folder).as_posix()
            if refused(key):  # not an output
                continue
            try:
                with path.open("rb") as file:  # only what is not there: a run may store a newer one meanwhile
                    self._s3.put_object(Bucket=self._bucket, Key=key, Body=file, IfNoneMatch="*", Metadata=mark)
            except ClientError as error:
                if error.response["Error"]["Code"] != "PreconditionFailed":
                    raise
            except OSError as error:  # it is not ours to read, or gone
                log.warning("✗ %s is not restored to %s: %s", key, self._bucket, error)

    def _copy_all(self) -> None:
        """Copy every object that the folder does not have."""
        for item in list_objects(self._s3, self._bucket, ""):
            try:
                if not self._has(item.key, self._path(item.key), item.size, item.etag):
                    self._copy(item.key)
            except (OSError, ValueError) as error:
                log.warning("✗ output %s is not copied: %s", item.key, error)

    def _has(self, key: str, path: Path, size: int, etag: str) -> bool:
        if not path.is_file() or path.stat().st_size != size:
            return False
        if "-" in etag:  # uploaded in parts: the ETag is not the MD5 of the content
            return True
        state = (etag, path.stat().st_mtime_ns, path.stat().st_ctime_ns)
        if self._compared.get(key) == state:  # reading every output again would take as long as there are many
            return True
        with path.open("rb") as file:
            is_same = hashlib.file_digest(file, _md5).hexdigest() == etag
        if is_same:
            self._compared[key] = state
        return is_same
