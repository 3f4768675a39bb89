"""Brings what is in the destination bucket into a folder, its keys as paths: as it is told, and by looking itself."""

from __future__ import annotations

import hashlib
import logging
import os
import queue
import threading
import time
import uuid
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from runner.aws.s3 import EPOCH_TAG, bucket_epoch
from runner.messages.object_keys import refused
from runner.state.outputs import RESTORED

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

log = logging.getLogger("mirror")

_LOOK_INTERVAL_S = 30.0
_NEW_BUCKET_INTERVAL_S = 1.0
_md5 = partial(hashlib.md5, usedforsecurity=False)  # what an ETag is, but of a large object uploaded in parts


class Mirror:
    """One bucket and the folder that shows it. Files that the bucket no longer has stay."""

    def __init__(self, s3: S3Client, bucket: str, folder: Path) -> None:
        self._s3, self._bucket, self._folder = s3, bucket, folder
        self._told: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._known: dict[str, str] = {}

    def restore(self, source_bucket: str, stop: threading.Event) -> None:
        """Put what the folder has back into a new bucket, until `stop` is set: LocalStack forgets, and VAPs read it.

        A bucket is new when it lacks the tag that is set here when all is back. The source bucket is asked too, because
        it is complete only when provisioning has done with both.
        """
        while not stop.wait(_NEW_BUCKET_INTERVAL_S):
            try:
                complete = bucket_epoch(self._s3, source_bucket)
                if complete and not bucket_epoch(self._s3, self._bucket):
                    self._put_back()
                    tags: Any = [*self._tags(), {"Key": EPOCH_TAG, "Value": uuid.uuid4().hex}]
                    self._s3.put_bucket_tagging(Bucket=self._bucket, Tagging={"TagSet": tags})
            except (ClientError, BotoCoreError, OSError) as error:
                log.debug("the outputs are not back in %s yet: %s", self._bucket, error)

    def is_complete(self, source_bucket: str) -> bool:
        """Whether a run may read what is stored: all is back, or there is no bucket, which the run will tell."""
        try:
            if bucket_epoch(self._s3, source_bucket) is None:
                return False
            return any(tag["Key"] == EPOCH_TAG for tag in self._tags())
        except ClientError as error:
            return error.response["Error"]["Code"] == "NoSuchBucket"
        except BotoCoreError:
            return False

    def _tags(self) -> Sequence[Any]:
        """Those that the template gives the bucket."""
        try:
            return self._s3.get_bucket_tagging(Bucket=self._bucket)["TagSet"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchTagSet":
                raise
            return []

    def _put_back(self) -> None:
        for path in sorted(path for path in self._folder.rglob("*") if path.is_file() and path.suffix != ".part"):
            key = path.relative_to(self._folder).as_posix()
            if refused(key):  # so it is none of ours
                continue
            try:
                with path.open("rb") as file:  # a run may store a newer one meanwhile, which stays
                    mark = {RESTORED: str(path.stat().st_mtime_ns)}
                    put = self._s3.put_object(Bucket=self._bucket, Key=key, Body=file, IfNoneMatch="*", Metadata=mark)
                    self._known[key] = put["ETag"]
            except ClientError as error:
                if error.response["Error"]["Code"] != "PreconditionFailed":
                    raise
            except OSError as error:  # it is somebody else's, or gone
                log.warning("✗ %s is not put back into %s: %s", key, self._bucket, error)

    def tell(self, key: str) -> None:
        """An object was stored; it is fetched soon."""
        self._told.put(key)

    def run(self, stop: threading.Event) -> None:
        """Fetch what is told, and compare in full at the start and from time to time, until `stop` is set."""
        look_at = 0.0
        while not stop.is_set():
            try:
                self._fetch(self._told.get(timeout=0.2))
            except queue.Empty:
                if time.monotonic() >= look_at and self._look():
                    look_at = time.monotonic() + _LOOK_INTERVAL_S

    def _look(self) -> bool:
        """Fetch every object that the folder does not have as it is."""
        began_at = time.time()
        try:
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket)
            for item in (item for page in pages for item in page.get("Contents", [])):
                if not self._has(item["Key"], item["ETag"], item["Size"], item["LastModified"], began_at):
                    self._fetch(item["Key"])
        except (ClientError, BotoCoreError, OSError) as error:  # a file may go while it is looked at
            log.debug("cannot look into %s now: %s", self._bucket, error)
            return False
        return True

    def _has(self, key: str, etag: str, size: int, modified: datetime, as_of: float) -> bool:
        if key in self._known:
            return self._known[key] == etag
        path, since = self.path(key), modified.timestamp()
        if path is None:
            return True
        if not path.is_file() or path.stat().st_size != size or path.stat().st_mtime < since:
            return False
        if path.stat().st_mtime < since + 1:  # S3 tells whole seconds: a newer object may have come after the file
            with path.open("rb") as file:
                if hashlib.file_digest(file, _md5).hexdigest() != etag.strip('"'):
                    return False
            os.utime(path, (as_of, as_of))  # as if fetched then
        return True

    def path(self, key: str) -> Path | None:
        """The file of a key; None for a key that would lead out of the folder."""
        parts = PurePosixPath(key).parts
        return None if not parts or key.startswith("/") or ".." in parts else self._folder.joinpath(*parts)

    def _fetch(self, key: str) -> None:
        path = self.path(key)
        if path is None:
            log.warning("✗ output %r is not mirrored: its key leads out of %s", key, self._folder)
            return
        partial = path.with_name(f".{path.name}.part")
        try:
            asked_ns = time.time_ns()
            answer = self._s3.get_object(Bucket=self._bucket, Key=key)
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                for chunk in answer["Body"].iter_chunks(1024 * 1024):
                    file.write(chunk)
            # Its mtime tells of which runs it can be: not of one that stored later, nor of any if it was put back.
            as_of_ns = int(answer["Metadata"].get(RESTORED, asked_ns))
            os.utime(partial, ns=(as_of_ns, as_of_ns))
            partial.replace(path)
            self._known[key] = answer["ETag"]
        except (ClientError, BotoCoreError, OSError) as error:
            log.warning("✗ output %s is not mirrored yet: %s", key, error)
