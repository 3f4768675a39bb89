"""The source objects of one run: fetches them as they are now, and tells when one has been replaced since.

An event says that a key has changed, not which version there is by the time it is read. So a run takes what is there,
stores nothing unless that is still there right before, and is repeated when it was replaced while it stored: then the
outputs come to those of the newest version in whatever order events arrive, and however often.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from runner import aws
from runner.errors import ReplacedError
from runner.events import S3Object
from runner.record import Input


def named(item: S3Object) -> Input:
    """An object as its event names it."""
    return {"bucket": item.bucket, "key": item.key, "size": item.size, "etag": item.etag}


@dataclass
class Sources:
    """What a run has read."""

    inputs: list[Input] = field(default_factory=list)

    def fetch(self, item: S3Object, path: Path) -> Path:
        """Download an object and note which version it was.

        Raises:
            GoneError: it was deleted meanwhile.
        """
        found = aws.download(item.bucket, item.key, path)
        taken: Input = {**named(item), "size": found.size, "etag": found.etag, "modified": found.modified.isoformat()}
        if found.version_id not in (None, "null"):
            taken["version_id"] = str(found.version_id)
        if item.etag and item.etag != found.etag:
            taken["named_etag"] = item.etag
        self.inputs.append(taken)
        return path

    def require_current(self, *, stored: bool) -> None:
        """Make sure that nothing was replaced since it was fetched; what was deleted has no newer version to protect.

        Raises:
            ReplacedError: one was.
        """
        for item in self.inputs:
            if aws.current_etag(item["bucket"], item["key"]) not in (item["etag"], None):
                raise ReplacedError(_WHILE_STORING if stored else _WHILE_RUNNING, stored=stored)


_WHILE_RUNNING = "Replaced by a newer version while it ran; that version has an event of its own."
_WHILE_STORING = "Replaced by a newer version while its outputs were stored. The next attempt takes the newer version."
