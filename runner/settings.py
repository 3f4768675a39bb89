"""Settings from environment variables, read once into one frozen object."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from runner.errors import SettingsError
from runner.ignored_names import IGNORED_NAMES

# LocalStack's own, and MiniStack's.
DEFAULT_PORT = 4566
DEFAULT_WEB_PORT = 8780
# The folder of this package: scripts/, docker/ and the environments that scripts/setup creates are in it too.
CHECKOUT = Path(__file__).resolve().parent.parent


class EmulatorName(StrEnum):
    """The programs that can play S3 and SQS."""

    LOCALSTACK = "localstack"
    MINISTACK = "ministack"


@dataclass(frozen=True)
class Settings:
    """Paths and behaviour of the local stack. In a test, build it from a plain dict with `from_env`."""

    root: Path
    """The project: a folder with pipelines/, as in tsdat's template, perhaps shared/, utils/ and a template.yaml."""
    data: Path
    """The folder with inbox/, outputs/ and state/ (uploads, runs, logs)."""
    endpoint_url: str | None
    """Endpoint of S3, SQS and STS. None means a free port, chosen when the stack starts."""
    emulator: EmulatorName | None
    """The program that plays S3 and SQS. None: LocalStack."""
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
    """Shell patterns of file and folder names that are never uploaded, in any case of letters."""
    debug: bool
    """One Lambda emulator, to which a debugger can attach, and a timeout of one hour."""
    debug_port: int
    """Port on 127.0.0.1 to which the debugger attaches."""
    web_port: int | None
    """Port of the live page on 127.0.0.1. None: the default, or any free port if that is in use."""
    has_page: bool
    """Serve the live page."""

    @property
    def template_file(self) -> Path:
        """The project's template.yaml, or the shipped one."""
        own = self.root / "template.yaml"
        return own if own.exists() else CHECKOUT / "template.yaml"

    @property
    def has_own_template(self) -> bool:
        """Whether the template is the project's own; the shipped one has the schedules of the shipped pipelines."""
        return self.template_file.parent == self.root

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
        root = _project(env)
        return cls(
            root=root,
            data=Path(env.get("RUNNER_DATA") or root / "data").absolute(),
            endpoint_url=env.get("AWS_ENDPOINT_URL") or None,
            emulator=_emulator(env),
            concurrency=int(_number(env, "LAMBDA_CONCURRENCY", len(os.sched_getaffinity(0)), least=1)),
            settle_s=_number(env, "RUNNER_SETTLE_S", 1.0, least=0.0),
            scan_interval_s=_number(env, "RUNNER_SCAN_INTERVAL_S", 2.0, least=0.1),
            polling=_flag(env, "RUNNER_POLLING", default=False),
            retain=_flag(env, "RETAIN_INPUT_FILES", default=True),
            ignored_names=tuple(env["RUNNER_IGNORE"].split()) if "RUNNER_IGNORE" in env else IGNORED_NAMES,
            debug=_flag(env, "RUNNER_DEBUG", default=False),
            debug_port=int(_number(env, "RUNNER_DEBUG_PORT", 5678, least=1, most=65535)),
            web_port=int(_number(env, "RUNNER_WEB_PORT", 0, least=0, most=65535)) or None,
            has_page=_flag(env, "RUNNER_WEB", default=True),
        )

    def to_env(self) -> dict[str, str]:
        """Return the variables from which another process reads the same settings."""
        return {
            "RUNNER_ROOT": str(self.root),
            "RUNNER_DATA": str(self.data),
            **({"AWS_ENDPOINT_URL": self.endpoint_url} if self.endpoint_url else {}),
            **({"EMULATOR": self.emulator} if self.emulator else {}),
            "LAMBDA_CONCURRENCY": str(self.concurrency),
            "RUNNER_SETTLE_S": str(self.settle_s),
            "RUNNER_SCAN_INTERVAL_S": str(self.scan_interval_s),
            "RUNNER_POLLING": str(self.polling),
            "RETAIN_INPUT_FILES": str(self.retain),
            "RUNNER_IGNORE": " ".join(self.ignored_names),
            "RUNNER_DEBUG": str(self.debug),
            "RUNNER_DEBUG_PORT": str(self.debug_port),
            "RUNNER_WEB_PORT": str(self.web_port or ""),
            "RUNNER_WEB": str(self.has_page),
        }


def _project(env: Mapping[str, str]) -> Path:
    """Return the folder that RUNNER_ROOT names, else the current folder if it is a project, else the checkout."""
    if name := env.get("RUNNER_ROOT"):
        root = Path(name).resolve()
        if not root.is_dir():
            raise SettingsError(f"The project {root} is not a folder. Correct --project, or RUNNER_ROOT.")
        if not (root / "pipelines").is_dir():
            raise SettingsError(
                f"{root} is not a project: it has no folder `pipelines`. Name the folder that contains `pipelines`, "
                "as tsdat's template does, with --project or RUNNER_ROOT."
            )
        return root
    here = Path.cwd()
    return here if (here / "pipelines").is_dir() else CHECKOUT


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


def _emulator(env: Mapping[str, str]) -> EmulatorName | None:
    text = env.get("EMULATOR", "")
    if text and text not in list(EmulatorName):
        raise SettingsError(f"EMULATOR={text!r} must be {' or '.join(EmulatorName)}. Correct it or unset EMULATOR.")
    return EmulatorName(text) if text else None


def _flag(env: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = env.get(name, "").lower()
    if not text:
        return default
    if text in {"1", "true", "yes", "on"}:
        return True
    if text in {"0", "false", "no", "off"}:
        return False
    raise SettingsError(f"{name}={env[name]!r} is neither true nor false. Write {name}=true or {name}=false.")
