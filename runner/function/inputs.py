"""The source objects of one run: downloads their current versions, and detects when one was replaced since.

An event says that a key has changed, not which version is there by the time it is read. So a run takes the current
version, checks that it is still current before it stores anything, and is repeated if it was replaced while outputs
were stored. The outputs are then those of the newest version, whatever the order and number of events.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from botocore.exceptions import ClientError

from runner.aws import clients
from runner.aws.s3 import object_etag
from runner.errors import CompanionMissingError, GoneError, ReplacedError
from runner.messages.run_record import Input
from runner.messages.s3_events import S3Object

_GONE = {
    "NoSuchKey": "does not exist: it was deleted after its event was sent. Upload it again, or ignore this failure.",
    # The answer for a missing object if the role may not list the bucket.
    "AccessDenied": "cannot be read: it was deleted after its event was sent, or the function's role in template.yaml "
    "does not allow it.",
}
_REPLACED_AMONG_OTHERS = (
    "was replaced by a newer version during a run of several files. The next attempt takes the newer version."
)
_REPLACED_BEFORE_STORING = "Replaced by a newer version while it ran; that version has an event of its own."
_REPLACED_WHILE_STORING = (
    "Replaced by a newer version while its outputs were stored. The next attempt takes the newer version."
)


def input_of(item: S3Object) -> Input:
    """Return the run record's entry for an object as its event describes it."""
    return {"bucket": item.bucket, "key": item.key, "size": item.size, "etag": item.etag}


@dataclass(frozen=True)
class Downloaded:
    """The version of an object that was read: `size` in bytes, `version_id` only if the bucket keeps versions."""

    etag: str
    size: int
    modified: datetime
    version_id: str | None


def download(bucket_name: str, key: str, path: Path) -> Downloaded:
    """Stream the current version of an object into a file, in one request and with little memory.

    Raises:
        GoneError: the object does not exist, or may not be read.
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
    return Downloaded(found["ETag"].strip('"'), found["ContentLength"], found["LastModified"], found.get("VersionId"))


@dataclass
class Sources:
    """The objects that a run has read."""

    inputs: list[Input] = field(default_factory=list)

    def fetch(self, item: S3Object, path: Path) -> Path:
        """Download an object and record which version it was.

        Raises:
            GoneError: it was deleted meanwhile.
        """
        found = download(item.bucket, item.key, path)
        entry: Input = {
            **input_of(item),
            "size": found.size,
            "etag": found.etag,
            "modified": found.modified.isoformat(),
        }
        if found.version_id not in (None, "null"):
            entry["version_id"] = str(found.version_id)
        if item.etag != found.etag:
            entry["named_etag"] = item.etag or ""
        self.inputs.append(entry)
        return path

    def fetch_companion(self, item: S3Object, key: str, path: Path) -> None:
        """Download a file that belongs to an object, beside it.

        Raises:
            CompanionMissingError: it is not in the bucket yet.
        """
        try:
            download(item.bucket, key, path)
        except GoneError:
            raise CompanionMissingError(
                f"{item.key} waits for its companion {key}, which is not in the bucket. Drop it beside the file, or "
                "correct `companions` in the pipeline's config or in pipelines/routes.yaml."
            ) from None

    def require_current(self, *, stored: bool) -> None:
        """Check that no object was replaced since it was downloaded. A deleted one has no newer version to protect.

        Raises:
            ReplacedError: one was replaced.
        """
        for item in self.inputs:
            if object_etag(clients.s3(), item["bucket"], item["key"]) not in (item["etag"], None):
                if len(self.inputs) > 1:  # the others were not replaced, and no other event runs them
                    raise ReplacedError(f"{item['key']} {_REPLACED_AMONG_OTHERS}", again=True)
                raise ReplacedError(_REPLACED_WHILE_STORING if stored else _REPLACED_BEFORE_STORING, again=stored)
