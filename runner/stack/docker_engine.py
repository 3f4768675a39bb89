"""Checks whether Docker and its compose plugin can be used on this machine."""

from __future__ import annotations

import shutil
import subprocess

_OLDEST_COMPOSE = (2, 26)


def unavailable_reason() -> str | None:
    """Return why Docker cannot be used here; None if it can."""
    if not shutil.which("docker"):
        return "docker is not installed"
    try:
        _output("docker", "version", "--format", "{{.Server.Version}}")
    except (subprocess.SubprocessError, OSError) as error:
        return f"no Docker engine answers: {_last_line(error)}"
    try:
        version = _output("docker", "compose", "version", "--short").lstrip("v")
    except (subprocess.SubprocessError, OSError):
        return "docker has no compose plugin"
    numbers = tuple(int(number) for number in version.split("-")[0].split(".")[:2])
    if numbers < _OLDEST_COMPOSE:
        return f"docker compose {version} is older than {'.'.join(map(str, _OLDEST_COMPOSE))}"
    return None


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()


def _last_line(error: Exception) -> str:
    text = getattr(error, "stderr", "") or str(error)
    return (text if isinstance(text, str) else text.decode(errors="replace")).strip().splitlines()[-1]
