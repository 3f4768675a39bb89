"""The child process that reads NetCDF files: started on demand, and stopped when it was not used for a while."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from runner.errors import RunnerError

_ANSWER_TIMEOUT_S = 30.0
_LONGEST_ANSWER_BYTES = 64_000_000
_MODULE = "runner.web.datasets.reader"


class UnreadableError(RunnerError):
    """A file that cannot be read, or a variable that it does not have."""


class DatasetProcess:
    """Answers requests one at a time. A request that takes too long costs only the child."""

    def __init__(self, idle_s: float = 120.0) -> None:
        self._idle_s = idle_s
        self._process: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()
        self._stopper: asyncio.TimerHandle | None = None

    async def ask(self, operation: str, file: Path, **arguments: Any) -> Any:
        """Return the answer to a request.

        Raises:
            UnreadableError: the file cannot be read, or the request makes no sense for it.
        """
        request = json.dumps({"operation": operation, "file": str(file), **arguments}).encode() + b"\n"
        async with self._lock:
            answer = await self._answer(request, file)
        if "error" in answer:
            raise UnreadableError(answer["error"])
        return answer["result"]

    async def _answer(self, request: bytes, file: Path) -> Any:
        process = await self._running()
        try:
            assert process.stdin  # noqa: S101  both are pipes
            assert process.stdout  # noqa: S101
            process.stdin.write(request)
            await process.stdin.drain()
            line = await asyncio.wait_for(process.stdout.readline(), _ANSWER_TIMEOUT_S)
        except (TimeoutError, OSError, ValueError):
            line = b""
        self._stop_later()
        if not line:
            await self.stop()
            raise UnreadableError(f"{file.name} could not be read: the reader crashed or took too long on it.")
        return json.loads(line)

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            names = ("PATH", "HOME", "LANG", "PYTHONPATH")
            env = {name: os.environ[name] for name in names if name in os.environ}
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", _MODULE, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                env=env, limit=_LONGEST_ANSWER_BYTES,
            )  # fmt: skip
        return self._process

    def _stop_later(self) -> None:
        if self._stopper:
            self._stopper.cancel()
        loop = asyncio.get_running_loop()
        self._stopper = loop.call_later(self._idle_s, lambda: loop.create_task(self._stop_idle()))

    async def _stop_idle(self) -> None:
        async with self._lock:
            await self.stop()

    async def stop(self) -> None:
        """Stop the child."""
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        self._process = None
