"""Upload one file, unless its content is in the bucket or has a final outcome, and record that."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.aws.s3 import etag_of, sha256_of, upload
from runner.messages.run_record import FINAL
from runner.services.progress import TransferProgress, human_size
from runner.services.watcher.inbox import Inbox
from runner.state.database import State
from runner.state.uploads import Stamp, Upload

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

log = logging.getLogger("watcher")

_LOG_START_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Sent:
    """The result of one upload; `began_at` is None if nothing was sent."""

    stamp: Stamp
    sha256: str
    etag: str
    epoch: str
    began_at: float | None


class Uploader:
    """Sends files from several threads; `record` is for the watcher's thread alone."""

    def __init__(self, s3: S3Client, bucket: str, state: State, inbox: Inbox) -> None:
        self._s3, self._bucket, self._state, self._inbox = s3, bucket, state, inbox
        self.found_at_start: set[str] = set()
        """Files that another watcher may have uploaded without recording it."""

    def is_finished(self, known: Upload | None, epoch: str) -> bool:
        """Return whether an upload to a lost bucket has a final outcome, and no other version of its key ran since."""
        if known is None or known.epoch == epoch:
            return False
        current = self._state.versions.current(known.key)  # with its worst outcome
        return current is not None and current.etag == known.etag and current.outcome in FINAL

    def send(self, key: str, stamp: Stamp, epoch: str, known: Upload | None, *, is_finished: bool) -> Sent:
        """Put a file into the bucket, unless the same content is there or is finished.

        Raises:
            OSError: the file cannot be read.
            StackError, botocore.exceptions.ClientError, BotoCoreError: S3 refused it or does not answer.
        """
        path, began_at = self._inbox.path(key), time.time()
        sha256 = sha256_of(path)
        same = known if known and known.sha256 == sha256 else None
        if same and is_finished:
            return Sent(stamp, sha256, same.etag, same.epoch, None)
        # A watcher may have been killed before it recorded an upload: of this content, or of another over it.
        if same or (known is None and key in self.found_at_start):
            etag = etag_of(self._s3, self._bucket, key, sha256)
            if etag:
                return Sent(stamp, sha256, etag, epoch, None)
        if stamp.size >= _LOG_START_BYTES:
            log.info("↑ %s: uploading %s …", key, human_size(stamp.size))
        on_bytes = TransferProgress(lambda text: log.info("↑ %s: %s", key, text), stamp.size).add
        etag = upload(self._s3, self._bucket, key, path, sha256, on_bytes)
        return Sent(stamp, sha256, etag, epoch, began_at)

    def record(self, key: str, sent: Sent) -> None:
        """Record an upload. Content that returns after other content runs again: its old outcome does not count."""
        version = (key, sent.etag)
        with self._state.transaction():  # its run may be recorded at the same time
            if sent.began_at and self._state.versions.outcome(version) in FINAL:
                run = self._state.runs.of(version)
                if run is None or run.ended_at < sent.began_at:
                    self._state.versions.set_outcome(version, "retried", "the same content was uploaded again")
            self._state.uploads.put(Upload(key, *sent.stamp, sent.sha256, sent.etag, sent.epoch, time.time()))
            self._state.versions.add_uploaded(version)
        if sent.began_at:
            log.info("↑ %s (%s)", key, human_size(sent.stamp.size))
