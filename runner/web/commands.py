"""Runs the commands of the runner for the page's buttons, as a person would in a terminal."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from typing import Any

from runner.settings import Settings

_MOST_CHARACTERS = 4000
# What a child needs besides the settings; the project's own packages may read the rest in the terminal.
_PASSED_ON = ("PATH", "HOME", "LANG", "TERM", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
              "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EC2_METADATA_DISABLED", "AWS_CONFIG_FILE",
              "AWS_SHARED_CREDENTIALS_FILE", "PYTHONPATH")  # fmt: skip


@dataclass(frozen=True)
class Done:
    """A command that has ended; `code` is None if it still runs."""

    code: int | None
    out: str = ""
    err: str = ""

    @property
    def text(self) -> str:
        """What it printed, for people."""
        return (self.out.strip() or self.err.strip())[-_MOST_CHARACTERS:]

    def json(self) -> Any:
        """Return what it printed as JSON; None if it is not."""
        try:
            return json.loads(self.out)
        except ValueError:
            return None


async def run(settings: Settings, *arguments: str, patience_s: float = 60.0) -> Done:
    """Run a command; after `patience_s` it goes on without a reader."""
    env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | settings.to_env()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "runner", *arguments, env=env, cwd=settings.root, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    reading = asyncio.create_task(process.communicate())
    done, _ = await asyncio.wait({reading}, timeout=patience_s)
    if not done:
        _RUNNING.add(reading)
        reading.add_done_callback(_RUNNING.discard)
        return Done(None)
    out, err = reading.result()
    return Done(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))


# asyncio keeps only weak references to tasks.
_RUNNING: set[asyncio.Task[tuple[bytes, bytes]]] = set()
