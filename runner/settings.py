"""Settings from environment variables, read once into one frozen object."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.errors import SettingsError

# Names of files that are still being written by editors, browsers, rsync, scp clients and office programs.
IGNORED_NAMES = (
    ".*", "*~", "*.part", "*.partial", "*.tmp", "*.temp", "*.swp", "*.swx", "*.crdownload", "*.download", "*.filepart",
    "~$*", "#*#",
)  # fmt: skip


# LocalStack's own.
DEFAULT_PORT = 4566
# The folder of this package: scripts/, docker/ and the environments that scripts/setup creates are in it too.
CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Settings:
    """Paths and behaviour of the local stack. In a test, build it from a plain dict with `from_env`."""

    root: Path
    """The project: template.yaml, pipelines/, shared/, utils/."""
    data: Path
    """The folder with inbox/, outputs/ and state/ (uploads, runs, logs)."""
    endpoint_url: str | None
    """Endpoint of S3, SQS and STS. None means a free port, chosen when the stack starts."""
    concurrency: int
    """How many Lambda emulators run in parallel."""
    settle_s: float
    """Seconds without a change of size and mtime after which an open file counts as complete."""
    scan_interval_s: float
    """Seconds between complete scans of the inbox, which find what file system events missed."""
    polling: bool
    """Use scans only: file system events never arrive from network and virtual mounts."""
    retain: bool
    """Keep the inbox copy of a file after its run succeeded."""
    ignored_names: tuple[str, ...]
    """Shell patterns of file and folder names that are never uploaded."""
    debug: bool
    """One Lambda emulator, to which a debugger can attach, and a timeout of one hour."""
    debug_port: int
    """Port on 127.0.0.1 to which the debugger attaches."""

    @property
    def inbox(self) -> Path:
        """The folder whose files become objects in the source bucket."""
        return self.data / "inbox"

    @property
    def outputs(self) -> Path:
        """The copy of the destination bucket."""
        return self.data / "outputs"

    @property
    def state(self) -> Path:
        """The stack's own records: uploads, runs and logs."""
        return self.data / "state"

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings from environment variables, all optional.

        Raises:
            SettingsError: a value is invalid; the text names the variable and the allowed values.
        """
        root = Path(env.get("RUNNER_ROOT") or CHECKOUT).resolve()
        return cls(
            root=root,
            data=Path(env.get("RUNNER_DATA") or root / "data").absolute(),
            endpoint_url=env.get("AWS_ENDPOINT_URL") or None,
            concurrency=int(_number(env, "LAMBDA_CONCURRENCY", len(os.sched_getaffinity(0)), least=1)),
            settle_s=_number(env, "RUNNER_SETTLE_S", 1.0, least=0.0),
            scan_interval_s=_number(env, "RUNNER_SCAN_INTERVAL_S", 2.0, least=0.1),
            polling=_flag(env, "RUNNER_POLLING", default=False),
            retain=_flag(env, "RETAIN_INPUT_FILES", default=True),
            ignored_names=tuple(env["RUNNER_IGNORE"].split()) if "RUNNER_IGNORE" in env else IGNORED_NAMES,
            debug=_flag(env, "RUNNER_DEBUG", default=False),
            debug_port=int(_number(env, "RUNNER_DEBUG_PORT", 5678, least=1, most=65535)),
        )

    def to_env(self) -> dict[str, str]:
        """Return the variables from which another process reads the same settings."""
        return {
            "RUNNER_ROOT": str(self.root),
            "RUNNER_DATA": str(self.data),
            **({"AWS_ENDPOINT_URL": self.endpoint_url} if self.endpoint_url else {}),
            "LAMBDA_CONCURRENCY": str(self.concurrency),
            "RUNNER_SETTLE_S": str(self.settle_s),
            "RUNNER_SCAN_INTERVAL_S": str(self.scan_interval_s),
            "RUNNER_POLLING": str(self.polling),
            "RETAIN_INPUT_FILES": str(self.retain),
            "RUNNER_IGNORE": " ".join(self.ignored_names),
            "RUNNER_DEBUG": str(self.debug),
            "RUNNER_DEBUG_PORT": str(self.debug_port),
        }


def _number(env: Mapping[str, str], name: str, default: float, least: float, most: float = float("inf")) -> float:
    text = env.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most or value == float("inf"):
        bounds = f"of {least:g} or more" if most == float("inf") else f"from {least:g} to {most:.0f}"
        raise SettingsError(f"{name}={text!r} is not a number {bounds}. Correct it or unset {name}.")
    return value


def _flag(env: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = env.get(name, "").lower()
    if not text:
        return default
    if text in {"1", "true", "yes", "on"}:
        return True
    if text in {"0", "false", "no", "off"}:
        return False
    raise SettingsError(f"{name}={env[name]!r} is neither true nor false. Write {name}=true or {name}=false.")
