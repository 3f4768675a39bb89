"""Which files a dead letter is about, and why, when no process saw its last attempt."""

from __future__ import annotations

from runner.aws.sqs import Message
from runner.messages.run_record import OPEN, OUTPUT_MISSING, Failure, RunRecord, new_record
from runner.state.database import State
from runner.state.versions import KnownVersion, Versions


def jobs_of(versions: Versions, message: Message) -> list[KnownVersion]:
    """Return what is known about the jobs that a message is for."""
    known = [one for version in message.versions for one in versions.of(version) or [KnownVersion(*version)]]
    return [one for one in known if message.concerns(one.job)]


def record(state: State, bucket: str, letter: Message) -> None:
    """Record why a message is in the dead-letter queue when no process saw its last attempt."""
    with state.transaction():  # its run may be recorded at the same time
        by_run: dict[tuple[int, str], list[KnownVersion]] = {}
        for known in jobs_of(state.versions, letter):
            if known.outcome in OPEN:
                by_run.setdefault((known.run_id or 0, known.config), []).append(known)
        for (run_id, config), jobs in by_run.items():
            before = state.runs.get(run_id).record if run_id else new_record("failed", "")
            files = [job for job in jobs if job.key]
            run: RunRecord = {
                **before, "status": "failed", "reason": None, "message_id": letter.id, "outputs": [], "qc": {},
                "config": config or before["config"], "error": _no_answer(before),
                "inputs": [
                    {"bucket": bucket, "key": job.key, "size": None, "etag": job.etag} for job in files
                ],
            }  # fmt: skip
            if files == jobs:
                run["schedule"] = run["window"] = None
            body_md5 = next((job.etag for job in jobs if not job.key), "")
            state.runs.add(run, "dead-lettered", letter.attempts, body_md5)


def _no_answer(last: RunRecord) -> Failure:
    text = "Its last attempt returned no answer, because a process of the stack was killed."
    before = last["error"]
    if before and before["type"] == OUTPUT_MISSING:  # such a failure is never recorded as the last attempt
        return before
    if before:
        return {**before, "message": f"{text} The attempt before: {before['message']}"}
    return {"type": "NoAnswer", "message": f"{text} `runner retry` runs it again.", "phase": "invoke", "traceback": ""}
