"""Whether there is room for a run. What failed because a disk is full runs again, and no attempt is counted."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path

from runner.services.disk_room import LEAST_BYTES, DiskRoom
from runner.services.event_source_mapping.batch_results import MessageResult
from runner.services.event_source_mapping.worker import Batch

_FULL = re.compile(r"\[Errno (28|122)\]|No space left on device|Disk quota exceeded|database or disk is full")
_WHY = " for the Lambda's /tmp (EphemeralStorage in template.yaml)"


class RunRoom:
    """The disks that runs and their records are written to."""

    def __init__(self, state: Path, outputs: Path, tmp: Path | None = None, tmp_bytes: int = 0) -> None:
        """Args: tmp: a folder on the disk of the Lambdas' /tmp, which may use `tmp_bytes`; None if it has its own."""
        self._state, self._outputs, self._tmp, self._tmp_bytes = state, outputs, tmp, tmp_bytes
        self._disks = DiskRoom(logging.getLogger("poller"), "messages wait", state, outputs)
        self._needs: dict[str, int] = {}
        """What a message that failed for lack of room needs on the disk of /tmp."""

    def is_there(self) -> bool:
        """Return whether a run can be recorded and its outputs copied."""
        return self._disks.has()

    def may_run(self, batch: Batch) -> bool:
        """Return whether there is room for each message of a batch that failed for lack of it."""
        for message in batch:
            needed_bytes = self._needs.get(message["MessageId"], 0)
            if self._tmp and needed_bytes and not self._disks.has_on(self._tmp, needed_bytes, _WHY):
                return False
        return True

    def lacked(self, results: Iterable[MessageResult]) -> set[str]:
        """Return the IDs of messages that failed because the disk of the Lambda's /tmp is too full.

        A run that fails although the disk has as much room as the template allows exceeded the limit, as on AWS.
        """
        return {result.message_id for result in results if not result.succeeded and self._is_lacking(result)}

    def _is_lacking(self, result: MessageResult) -> bool:
        if self._tmp is None:
            return False
        if not self._disks.has_on(self._tmp):
            self._needs[result.message_id] = LEAST_BYTES
            return True
        is_full = any(run["error"] and _FULL.search(run["error"]["message"]) for run in result.runs)
        if not is_full or self._disks.has_on(self._tmp, self._tmp_bytes, _WHY):
            self._needs.pop(result.message_id, None)
            return False
        self._needs[result.message_id] = self._tmp_bytes
        return True

    def report_state(self) -> None:
        """Report that nothing can be recorded."""
        self._disks.report(self._state)

    def report_outputs(self, needed_bytes: int) -> None:
        """Report that outputs of this size cannot be copied."""
        self._disks.report(self._outputs, max(needed_bytes, LEAST_BYTES))
