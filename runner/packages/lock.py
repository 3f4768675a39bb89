"""Resolves a project's requirements against the versions that tsdat-local pins, into requirements.lock.

The lock lists only what the project adds, each with hashes. No pinned version moves, so the tested packages stay the
same in every project.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

from runner.errors import PackagesError
from runner.packages import conflicts
from runner.packages.conflicts import Pin
from runner.packages.requirements import NAME, Line, read
from runner.settings import CHECKOUT, Settings

LOCK = "requirements.lock"
PINS = CHECKOUT / "requirements/lambda.txt"
UV = CHECKOUT / ".venv/bin/uv"
_OLDEST_PYTHON = "3.11"


def pinned() -> dict[str, Pin]:
    """Return what tsdat-local pins for the Lambda, by canonical name."""
    found: dict[str, Pin] = {}
    name = ""
    for line in PINS.read_text(encoding="utf-8").splitlines():
        if pin := re.match(r"([A-Za-z0-9._-]+)==([^ ;\\]+)", line):
            name = canonicalize_name(pin[1])
            found.setdefault(name, Pin([], [])).versions.append(pin[2])
        elif asker := re.match(r"\s+# (?:via )?\s*([A-Za-z0-9._-]+)$", line):
            found[name].askers.append(asker[1])
    return found


def update(settings: Settings, report: Callable[[str], object]) -> Path | None:
    """Bring the lock up to date with requirements.txt, and return it; None if the project adds no package.

    Args:
        settings: of the project.
        report: called with a line before it resolves.

    Raises:
        PackagesError: the requirements contradict each other or the pins, or cannot be resolved.
    """
    lines = read(settings.root / NAME)
    if not lines:
        return None
    header = _header(lines)
    for lock in (settings.root / LOCK, settings.state / LOCK):
        if lock.exists() and lock.read_text(encoding="utf-8").startswith(header):
            return lock if has_packages(lock) else None
    report(f"resolving {NAME} …")
    lock = _write(settings, header + _resolve(lines, report))
    return lock if has_packages(lock) else None


def has_packages(lock: Path) -> bool:
    """Whether a lock lists any package."""
    return "==" in lock.read_text(encoding="utf-8")


def _header(lines: Sequence[Line]) -> str:
    """Return the first lines of the lock, which change with the requirements and with the pins."""
    wanted = _digest("\n".join(sorted(str(line.requirement) for line in lines)))
    return (
        f"# What {NAME} adds to tsdat-local's packages. Written by the runner; edit {NAME} instead.\n"
        f"# requirements {wanted}, pins {_digest(PINS.read_text(encoding='utf-8'))}\n"
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _write(settings: Settings, text: str) -> Path:
    """Write the lock beside requirements.txt; for a project that may not be written to, into its data."""
    for lock in (settings.root / LOCK, settings.state / LOCK):
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            lock.write_text(text, encoding="utf-8")
        except OSError:
            continue
        return lock
    raise PackagesError(f"{settings.root / LOCK} and {settings.state / LOCK} cannot be written. Allow it for one.")


def _resolve(lines: Sequence[Line], report: Callable[[str], object]) -> str:
    """Return the lock's lines; a package that has no wheels is reported, because it has to be built."""
    done = _compile(lines, "--only-binary=:all:")
    if done.returncode:
        with_sources = _compile(lines)
        if with_sources.returncode:
            raise PackagesError(conflicts.explain(with_sources.stderr, lines, pinned()))
        report(f"⚠ a package has no wheels, and is built from its source: {conflicts.reason(done.stderr)}")
        done = with_sources
    return done.stdout


def _compile(lines: Sequence[Line], *options: str) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "wanted.in")
        wanted.write_text("".join(f"{line.requirement}\n" for line in lines), encoding="utf-8")
        without = [f"--no-emit-package={name}" for name in pinned()]
        command = [
            str(UV), "pip", "compile", "--quiet", "--universal", "--python-version", _OLDEST_PYTHON,
            "--generate-hashes", "--no-header", "--no-emit-index-url", "--no-emit-find-links", "--no-annotate",
            "--constraint", str(PINS), *without, *options, str(wanted),
        ]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, check=False)
