"""Installs a project's locked packages into a folder of their own, once for each lock and Python."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from runner.errors import PackagesError
from runner.packages import lock
from runner.settings import CHECKOUT, Settings

_FOLDERS = CHECKOUT / ".venv-projects"
# Lambda's limit for an image is 10 GB; tsdat and its packages take 0.6 GB of it.
_LARGEST_BYTES = 9_400_000_000


def prepare(settings: Settings, python: Path, report: Callable[[str], object]) -> Path | None:
    """Bring a project's packages up to date, and return their folder; None if it adds none.

    Args:
        settings: of the project.
        python: the interpreter that will import them.
        report: called with a line of progress before anything that takes long.

    Raises:
        PackagesError: they cannot be resolved or installed.
    """
    locked = lock.update(settings, report)
    if locked is None:
        return None
    content = locked.read_bytes()
    folder = _FOLDERS / f"{hashlib.sha256(content).hexdigest()[:16]}-{_tag(python)}"
    if not folder.exists():
        report(f"installing {content.count(b'==')} packages of requirements.txt …")
        _install(locked, python, folder)
        report(f"installed {size(folder) / 1e6:.0f} MB")
    return folder


def use(settings: Settings, report: Callable[[str], object]) -> Path | None:
    """Bring a project's packages up to date, and make them importable in this process, after its own.

    Returns:
        Their folder; None if it adds none.

    Raises:
        PackagesError: as `prepare`.
    """
    folder = prepare(settings, Path(sys.executable), report)
    if folder and str(folder) not in sys.path:
        sys.path.append(str(folder))
    return folder


def _tag(python: Path) -> str:
    """Return a name for the packages that fit an interpreter, such as py313."""
    done = subprocess.run([str(python), "--version"], capture_output=True, text=True, check=True)
    major, minor = done.stdout.split()[1].split(".")[:2]
    return f"py{major}{minor}"


def _install(locked: Path, python: Path, folder: Path) -> None:
    """Install into a new folder and rename it, so that an interrupted installation leaves nothing half done."""
    folder.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as new:
        target = Path(new, "packages")
        command = [
            str(lock.UV), "pip", "install", "--quiet", "--python", str(python), "--target", str(target), "--no-deps",
            "--require-hashes", "--requirement", str(locked),
        ]  # fmt: skip
        environment = {**os.environ, "UV_COMPILE_BYTECODE": "1", "UV_LINK_MODE": "copy"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            raise PackagesError(
                f"A package in {locked} cannot be installed:\n{done.stderr.strip()}\n"
                "A package without wheels for this platform has to be built, which needs a compiler here and in the "
                "image. Choose a version with wheels."
            )
        if size(target) > _LARGEST_BYTES:
            raise PackagesError(
                f"The packages in {locked} take {size(target) / 1e9:.1f} GB. Lambda accepts an image of 10 GB, and "
                f"tsdat takes 0.6 GB of it. The largest: {_largest(target)}. Remove one from requirements.txt."
            )
        shutil.move(target, folder)


def size(folder: Path) -> int:
    """Return the size of all files below a folder, in bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _largest(folder: Path) -> str:
    sizes = sorted(((size(path), path.name) for path in folder.iterdir() if path.is_dir()), reverse=True)
    return ", ".join(f"{name} {taken / 1e9:.1f} GB" for taken, name in sizes[:3])
