"""Run `runner up` in a separate data folder and measure its times."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from runner.messages.run_record import FINAL
from runner.state.database import State
from runner.state.runs import Run

_TIMEOUT_S = 300.0


class MeasuredStack:
    """A stack that runs in a `with` block, or for the duration of `seconds_from_start_to_accepted`."""

    def __init__(self, data: Path, concurrency: int, backend: str = "embedded", root: Path | None = None) -> None:
        self._data, self._concurrency, self._backend, self._root = data, concurrency, backend, root
        self._project = f"tsdat-bench-{os.getpid()}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> MeasuredStack:
        self._start()
        self._wait(lambda: (self._data / "state" / "stack.json").exists())
        self._state = State(self._data / "state")
        self._runs: list[Run] = []
        self._last_id = self._state.runs.last_id()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._state.close()
        self._stop()

    def _start(self) -> None:
        command = [sys.executable, "-m", "runner", "up", f"--{self._backend}", "--port", "0", "--data", str(self._data)]
        command += ["--concurrency", str(self._concurrency)]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TSDAT_", "PYTHONDONT"))}
        environment["COMPOSE_PROJECT_NAME"] = self._project
        if self._root:
            environment["RUNNER_ROOT"] = str(self._root)
        self._data.mkdir(parents=True, exist_ok=True)
        with (self._data / "up.log").open("w") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def _stop(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()

    def _wait(self, condition: object, pause_s: float = 0.002) -> None:
        deadline = time.monotonic() + _TIMEOUT_S
        while not condition():  # type: ignore[operator]
            assert time.monotonic() < deadline, f"no progress in {_TIMEOUT_S:.0f} s"
            if self._process and self._process.poll() is not None:
                raise RuntimeError(f"the stack exited: {(self._data / 'up.log').read_text()}")
            time.sleep(pause_s)

    @property
    def endpoint_url(self) -> str:
        """Endpoint of the stack's S3 and SQS."""
        return str(json.loads((self._data / "state" / "stack.json").read_text())["endpoint_url"])

    def _finished(self, folder: str) -> list[Run]:
        """Return the finished runs of a folder's files. Read only new runs, so that polling does not slow the stack."""
        new = self._state.runs.after(self._last_id)
        self._last_id = new[-1].id if new else self._last_id
        self._runs += [run for run in new if run.outcome in FINAL]
        return [run for run in self._runs if run.record["inputs"] and f"/{folder}/" in run.record["inputs"][0]["key"]]

    def seconds_from_drop_to_output(self, source: Path, folder: str) -> float:
        """Return the time from the start of the copy into the inbox until all outputs are in data/outputs."""
        target = self._data / "inbox" / "bench" / folder / source.name
        target.parent.mkdir(parents=True)
        time.sleep(0.3)  # by now the watcher watches the new folder, as it does a user's existing folders
        began = time.perf_counter()
        shutil.copyfile(source, target)
        self._wait(lambda: self._finished(folder))
        (run,) = self._finished(folder)
        assert run.outcome == "succeeded", run.record["error"]
        return time.perf_counter() - began

    def seconds_for_many(self, source: Path, count: int, folder: str) -> float:
        """Return the time from the first of many copies into the inbox until the last file's run is finished."""
        target = self._data / "inbox" / "bench" / folder
        target.mkdir(parents=True)
        time.sleep(0.3)
        began = time.perf_counter()
        for number in range(count):
            shutil.copyfile(source, target / f"{source.stem}.{number:04}{source.suffix}")
        self._wait(lambda: len(self._finished(folder)) == count, pause_s=0.02)
        took = time.perf_counter() - began
        for run in self._finished(folder):
            assert not run.record["error"], run.record["error"]  # a pipeline that does nothing is skipped
        return took

    def seconds_from_start_to_accepted(self, source: Path, folder: str) -> float:
        """Return the time from the start of the process until a file that was in the inbox is in the source bucket."""
        key = f"bench/{folder}/{source.name}"
        target = self._data / "inbox" / key
        target.parent.mkdir(parents=True)
        shutil.copyfile(source, target)
        state = State(self._data / "state")
        began = time.perf_counter()
        self._start()
        try:
            self._wait(lambda: state.uploads.get(key))
            return time.perf_counter() - began
        finally:
            self._wait(lambda: (self._data / "state" / "stack.json").exists(), pause_s=0.05)
            state.close()
            self._stop()

    def peak_rss_mb(self) -> dict[str, int]:
        """Return the peak resident memory of each process, in MB."""
        names = {
            "localstack_entrypoint": "localstack",
            "localstack.runtime": "localstack",
            "ministack_entrypoint": "ministack",
            "aws-lambda-rie": "emulator",
            "runner.stack.lambda_runtime": "lambda",
            "bootstrap.py": "lambda",
            "runner provision": "provision",
            "runner poll": "poller",
            "runner watch": "watcher",
            "runner up": "supervisor",
        }
        peaks: dict[str, int] = {}
        for pid in self._process_tree():
            status = Path(f"/proc/{pid}/status").read_text()
            command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
            peak_mb = int(status.split("VmHWM:")[1].split()[0]) // 1024
            name = next((name for word, name in names.items() if word in command), None)
            if name:
                peaks[name] = max(peaks.get(name, 0), peak_mb)
        return peaks

    def _process_tree(self) -> set[int]:
        """Return the process IDs of the supervisor, its descendants and the processes in its containers."""
        assert self._process
        listing = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        pairs = [tuple(map(int, line.split())) for line in listing.splitlines()]
        tree, size = {self._process.pid}, 0
        while len(tree) != size:
            size = len(tree)
            tree |= {pid for pid, parent in pairs if parent in tree}
        return tree | (self._container_processes() if self._backend == "docker" else set())

    def cpu_seconds(self) -> float:
        """Return the processor time of all processes of the stack so far."""
        ticks = 0
        for pid in self._process_tree():
            with suppress(OSError):  # it has just exited
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def seconds_from_drop_to_upload(self, content: bytes, folder: str) -> float:
        """Return the time from the rename of a file into an inbox folder until its object is in the source bucket."""
        target = self._data / "inbox" / folder / f"dropped.{time.monotonic_ns()}.txt"
        partial = target.with_suffix(".part")
        partial.write_bytes(content)
        began = time.perf_counter()
        partial.rename(target)
        key = target.relative_to(self._data / "inbox").as_posix()
        self._wait(lambda: self._state.uploads.get(key))
        return time.perf_counter() - began

    def _container_processes(self) -> set[int]:
        def docker(*arguments: str) -> str:
            return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout

        containers = docker("ps", "--quiet", "--filter", f"label=com.docker.compose.project={self._project}").split()
        return {int(pid) for container in containers for pid in docker("top", container, "-o", "pid").split()[1:]}
