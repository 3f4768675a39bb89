"""What this process was told by its environment, read once into one frozen object."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.errors import SettingsError

# Names that mean "somebody is still writing this": editors, browsers, rsync, scp clients, office programs.
IGNORED_NAMES = (
    ".*", "*~", "*.part", "*.partial", "*.tmp", "*.temp", "*.swp", "*.swx", "*.crdownload", "*.download", "*.filepart",
    "~$*", "#*#",
)  # fmt: skip


# Where this package lies: scripts/, docker/ and the environments that scripts/setup makes are beside it.
CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Settings:
    """Where things are and how the local stack behaves. Build it from a plain dict in a test."""

    root: Path
    """The project: template.yaml, pipelines/, shared/, utils/."""
    data: Path
    """Holds inbox/, outputs/ and state/ (ledger, history, logs)."""
    endpoint_url: str | None
    """Where S3, SQS and STS answer; the supervisor chooses a port where it is not given."""
    concurrency: int
    """How many Lambdas run at once."""
    settle_s: float
    """A file that nobody closes is taken when its size and mtime have not changed for so long."""
    scan_interval_s: float
    """How often the inbox is read in full: the truth behind the folder events."""
    polling: bool
    """No folder events at all: for network and virtual mounts, where they never arrive."""
    retain: bool
    """Keep the inbox copy of a file whose run succeeded."""
    ignored_names: tuple[str, ...]
    """Shell patterns of file and folder names that are never taken."""
    debug: bool
    """One Lambda, to which a debugger can attach, and an hour for each run."""
    debug_port: int
    """Where the debugger attaches, on 127.0.0.1."""

    @property
    def inbox(self) -> Path:
        """The folder whose files become objects in the source bucket."""
        return self.data / "inbox"

    @property
    def outputs(self) -> Path:
        """The mirror of the destination bucket."""
        return self.data / "outputs"

    @property
    def state(self) -> Path:
        """The stack's own memory: ledger, history and logs."""
        return self.data / "state"

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings from environment variables, all optional.

        Raises:
            SettingsError: a value cannot be used; the text names the variable and what it takes.
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
        """The variables from which another process reads the same settings."""
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
