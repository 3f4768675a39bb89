"""The source objects of one run: fetches them as they are now, and tells when one has been replaced since.

An event says that a key has changed, not which version there is by the time it is read. So a run takes what is there,
stores nothing unless that is still there right before, and is repeated when it was replaced while it stored: then the
outputs come to those of the newest version in whatever order events arrive, and however often.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from botocore.exceptions import ClientError

from runner.aws import clients
from runner.aws.s3 import object_etag
from runner.errors import GoneError, ReplacedError
from runner.messages.run_record import Input
from runner.messages.s3_events import S3Object


def named(item: S3Object) -> Input:
    """An object as its event names it."""
    return {"bucket": item.bucket, "key": item.key, "size": item.size, "etag": item.etag}


@dataclass(frozen=True)
class Found:
    """Which version of an object was read; `version_id` where the bucket keeps versions. `size` in bytes."""

    etag: str
    size: int
    modified: datetime
    version_id: str | None


def download(bucket_name: str, key: str, path: Path) -> Found:
    """Stream an object as it is now into a file, in one request and little memory; gives the version that it was.

    Raises:
        GoneError: there is no such object, or this role cannot tell.
        botocore.exceptions.ClientError: S3 refused for another reason.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        found = clients.s3().get_object(Bucket=bucket_name, Key=key)
    except ClientError as error:
        why = _GONE.get(error.response["Error"]["Code"])
        if why is None:
            raise
        raise GoneError(f"s3://{bucket_name}/{key} {why}") from error
    with path.open("wb") as file:
        shutil.copyfileobj(found["Body"], file, length=1024 * 1024)
    return Found(found["ETag"].strip('"'), found["ContentLength"], found["LastModified"], found.get("VersionId"))


_GONE = {
    "NoSuchKey": "is not there any more: it was deleted after its event was sent. Put it there again, or give it up.",
    # What S3 says of a missing object to a role that may not list the bucket.
    "AccessDenied": "may not be read by the function's role, or was deleted after its event was sent. Look whether it "
    "is there; the role is in template.yaml.",
}


@dataclass
class Sources:
    """What a run has read."""

    inputs: list[Input] = field(default_factory=list)

    def fetch(self, item: S3Object, path: Path) -> Path:
        """Download an object and note which version it was.

        Raises:
            GoneError: it was deleted meanwhile.
        """
        found = download(item.bucket, item.key, path)
        taken: Input = {**named(item), "size": found.size, "etag": found.etag, "modified": found.modified.isoformat()}
        if found.version_id not in (None, "null"):
            taken["version_id"] = str(found.version_id)
        if item.etag != found.etag:
            taken["named_etag"] = item.etag or ""
        self.inputs.append(taken)
        return path

    def require_current(self, *, stored: bool) -> None:
        """Make sure that nothing was replaced since it was fetched; what was deleted has no newer version to protect.

        Raises:
            ReplacedError: one was.
        """
        for item in self.inputs:
            if object_etag(clients.s3(), item["bucket"], item["key"]) not in (item["etag"], None):
                if len(self.inputs) > 1:  # the others were not, and nobody else runs them
                    raise ReplacedError(f"{item['key']} was replaced {_AMONG_OTHERS}", again=True)
                raise ReplacedError(_WHILE_STORING if stored else _WHILE_RUNNING, again=stored)


_AMONG_OTHERS = "by a newer version during a run of several files. The next attempt takes the newer version."
_WHILE_RUNNING = "Replaced by a newer version while it ran; that version has an event of its own."
_WHILE_STORING = "Replaced by a newer version while its outputs were stored. The next attempt takes the newer version."
