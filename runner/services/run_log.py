"""Log a line about each run."""

from __future__ import annotations

import logging

from runner.messages.run_record import RunRecord
from runner.messages.run_summary import error_lines, made, next_step, title, where, why
from runner.services.event_source_mapping.batch_results import Verdict, retry_wait_s

log = logging.getLogger("runs")


class Teller:
    """Logs a line about each run that ends; an error that comes again at the next attempt is not told again."""

    def __init__(self) -> None:
        self._told: dict[str, list[str]] = {}

    def tell(self, run: RunRecord, verdict: Verdict) -> None:
        """Log what became of a run."""
        if not run["inputs"] and not run.get("schedule") and run["status"] == "skipped":
            return  # S3 only tested that it may send
        name = title(run) + where(run)
        if run["status"] == "failed":
            self._tell_failure(name, run, verdict)
            return
        self._told.pop(name, None)
        if run["status"] == "succeeded":
            log.info("✔ %s: %s in %.2f s", name, made(run), run["durations_s"]["total"])
        else:
            log.info("– %s skipped: %s", name, why(run))

    def _tell_failure(self, name: str, run: RunRecord, verdict: Verdict) -> None:
        error = run["error"]
        lines = error_lines(error) if error else []
        again = self._told.get(name) == lines
        shown = [] if again else lines
        if verdict.last:
            self._told.pop(name, None)
            shown = [*shown, next_step(error)] if error else shown
        else:
            self._told[name] = lines
        wait_s = retry_wait_s(verdict.attempt)
        fate = "now in the dead-letter queue" if verdict.last else f"will be tried again in {wait_s} s"
        text = "".join(f"\n    {line}" for line in shown)
        log.error("✗ %s failed%s (attempt %d, %s)%s", name, " again" if again else "", verdict.attempt, fate, text)
