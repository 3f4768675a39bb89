"""Log a line about each run."""

from __future__ import annotations

import logging

from runner.messages.run_record import RunRecord
from runner.messages.run_summary import error_lines, made, next_step, title, where, why
from runner.services.event_source_mapping.batch_results import MessageResult

log = logging.getLogger("runs")


class RunLog:
    """Logs runs; an error that a file's next attempt repeats is not logged in full again."""

    def __init__(self) -> None:
        self._last_error: dict[str, list[str]] = {}

    def add(self, run: RunRecord, result: MessageResult) -> None:
        """Log one run."""
        if not run["inputs"] and not run.get("schedule") and run["status"] == "skipped":
            return  # S3 only tested that it may send events
        name = title(run) + where(run)
        if run["status"] == "failed":
            self._add_failure(name, run, result)
            return
        self._last_error.pop(name, None)
        if run["status"] == "succeeded":
            log.info("✔ %s: %s in %.2f s", name, made(run), run["durations_s"]["total"])
        else:
            log.info("– %s skipped: %s", name, why(run))

    def _add_failure(self, name: str, run: RunRecord, result: MessageResult) -> None:
        error = run["error"]
        lines = error_lines(error) if error else []
        is_repeated = self._last_error.get(name) == lines
        shown = [] if is_repeated else lines
        if result.is_last_attempt:
            self._last_error.pop(name, None)
            shown = [*shown, next_step(error)] if error else shown
            what_follows = "now in the dead-letter queue"
        else:
            self._last_error[name] = lines
            what_follows = f"retry in {result.retry_after_s} s"
        text = "".join(f"\n    {line}" for line in shown)
        again = " again" if is_repeated else ""
        log.error("✗ %s failed%s (attempt %d, %s)%s", name, again, result.attempt, what_follows, text)
