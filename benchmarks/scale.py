"""What a stack costs on a data folder with many files and as many runs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from benchmarks.measured_stack import MeasuredStack
from runner.messages.run_record import RunRecord, new_record
from runner.settings import CHECKOUT
from runner.state.database import State

_FILES_IN_A_FOLDER = 1000
_IDLE_S = 60.0
# The watcher's first look at all files and the emulator's start are over by then.
_REST_S = 30.0
_DROPS = 15
# One file in so many failed for good.
_FAILED_EVERY = 1000


def measure(work: Path, count: int, log_progress: Callable[[str], None]) -> dict[str, float]:
    """Build a folder with `count` files and runs, and return what the stack and the commands cost on it."""
    data, project = work / "scale", work / "scale-project"
    shutil.copytree(Path(__file__).parent / "noop_project", project)
    shutil.copy(CHECKOUT / "template.yaml", project)
    log_progress(f"(s) building a folder with {count} files and runs …")
    build(data, count)
    log_progress("(s) commands without a stack …")
    figures = {name: value for command in COMMANDS for name, value in run_command(command, data, project).items()}
    with MeasuredStack(data, 1, root=project) as stack:
        time.sleep(_REST_S)
        log_progress(f"(s) {_IDLE_S:.0f} s at rest, then {_DROPS} drops …")
        before, began = stack.cpu_seconds(), time.monotonic()
        time.sleep(_IDLE_S)
        figures["idle_core_share"] = round((stack.cpu_seconds() - before) / (time.monotonic() - began), 4)
        drops = [stack.seconds_from_drop_to_upload(f"{n}".encode(), "noop/0000") for n in range(_DROPS)]
        figures["drop_to_upload_s"] = round(statistics.median(drops), 3)
        figures["drop_to_upload_s_max"] = round(max(drops), 3)
        time.sleep(5)
        figures |= {f"{name}_running": value for name, value in run_command("reconcile", data, project).items()}
    return figures


COMMANDS = ("status", "logs", "failures", "reconcile")
_ARGUMENTS = {"logs": ["-n", "5"]}


def run_command(command: str, data: Path, project: Path) -> dict[str, float]:
    """Return the seconds and the peak memory in MB of a command."""
    arguments = [sys.executable, "-m", "runner", command, *_ARGUMENTS.get(command, []), "--data", str(data)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    times, peak_kb = [], 0
    for _ in range(3):
        began = time.perf_counter()
        process = subprocess.Popen(
            arguments,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment | {"RUNNER_ROOT": str(project)},
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, f"{command} exited with {process.returncode}"
        times.append(time.perf_counter() - began)
        peak_kb = max(peak_kb, usage.ru_maxrss)
    return {f"{command}_s": round(statistics.median(times), 2), f"{command}_mb": round(peak_kb / 1024)}


def build(data: Path, count: int) -> None:
    """Write files into the inbox and the outputs folder, and record an upload and a run of each."""
    with closing(State(data / "state")):
        pass
    with closing(sqlite3.connect(data / "state" / "state.sqlite", isolation_level=None)) as db:
        db.execute("BEGIN")
        for number, (key, content) in enumerate(_files(count), start=1):
            path, etag = data / "inbox" / key, hashlib.md5(content, usedforsecurity=False).hexdigest()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            status, sha256 = path.stat(), hashlib.sha256(content).hexdigest()
            db.execute(
                "INSERT INTO uploads VALUES (?, ?, ?, ?, ?, ?, 'an earlier bucket', ?)",
                (key, status.st_size, status.st_mtime_ns, status.st_ctime_ns, sha256, etag, time.time()),
            )
            has_failed = number % _FAILED_EVERY == 0
            record = _record(key, etag, len(content), has_failed=has_failed)
            for output in record["outputs"]:
                made = data / "outputs" / output["key"]
                made.parent.mkdir(parents=True, exist_ok=True)
                made.write_bytes(content)
            outcome = "dead-lettered" if has_failed else "succeeded"
            db.execute(
                "INSERT INTO runs VALUES (?, ?, ?, 1, ?, 'noop', ?, ?)",
                (number, time.time(), outcome, record["message_id"], key, json.dumps(record)),
            )
            db.execute(
                "INSERT INTO versions "
                "(key, etag, config, arrival, change, outcome, reason, failures, pipeline, run_id) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'noop', ?)",
                (
                    key,
                    etag,
                    record["config"],
                    number,
                    number,
                    outcome,
                    "ValueError: torn" if has_failed else "",
                    int(has_failed),
                    number,
                ),
            )
        db.execute("COMMIT")


def _files(count: int) -> Iterator[tuple[str, bytes]]:
    for number in range(count):
        yield f"noop/{number // _FILES_IN_A_FOLDER:04}/noop.{number:07}.txt", f"{number}\n".encode()


def _record(key: str, etag: str, size: int, *, has_failed: bool) -> RunRecord:
    """Return a record as large as that of a buoy's day."""
    checks = ("Value is missing", "Value below valid minimum", "Value above valid maximum")
    error = {"type": "ValueError", "message": "torn", "phase": "process", "traceback": "Traceback …\n" * 40}
    outputs = [{"bucket": "outputs", "key": f"data/{key}.nc", "size": size}]
    return new_record(
        "failed" if has_failed else "succeeded",
        "request",
        message_id=f"message {key}",
        pipeline="noop",
        config="pipelines/noop/config/pipeline.yaml",
        inputs=[{"bucket": "inputs", "key": key, "size": size, "etag": etag}],
        outputs=[] if has_failed else outputs,
        durations_s={"download": 0.01, "load": 0.02, "process": 0.3, "save": 0.1, "plot": 0.6, "total": 1.03},
        qc={f"variable_{n}": {"samples": 144, "flagged": dict.fromkeys(checks, 3)} for n in range(12)},
        error=error if has_failed else None,
    )
