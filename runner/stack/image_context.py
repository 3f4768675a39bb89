"""The folder from which the Lambda's image is built for a project that lies outside this checkout.

Docker builds an image from one folder, and needs the project's pipelines beside what ships of the runner. So both are
copied into a folder of the project's data. Docker compares contents, so a copy does not build a layer again.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from runner.settings import CHECKOUT, Settings

PACKAGES = ("pipelines", "shared", "utils")
"""The folders of a project that ship."""
_SKIPPED = shutil.ignore_patterns("__pycache__", "*.pyc", "test", "tests", ".*")


def is_foreign(settings: Settings) -> bool:
    """Whether the project lies outside this checkout."""
    return settings.root != CHECKOUT


def name_of(project: Path) -> str:
    """Return a name for a project's images and containers, the same at each start: the folder's name and a hash."""
    slug = re.sub(r"[^a-z0-9]+", "-", project.name.lower()).strip("-") or "project"
    return f"{slug[:40].rstrip('-')}-{hashlib.sha256(str(project).encode()).hexdigest()[:6]}"


def dockerfile(project: Path) -> Path:
    """Return the project's Dockerfile if it builds the Lambda's image, else the shipped one.

    tsdat's template once had a Dockerfile for development, which has no stage `lambda`.
    """
    own = project / "Dockerfile"
    text = own.read_text(encoding="utf-8", errors="replace") if own.is_file() else ""
    return own if re.search(r"(?im)^FROM\s.*\sAS\s+lambda\s*$", text) else CHECKOUT / "Dockerfile"


def stage(settings: Settings, report: Callable[[str], object]) -> Path:
    """Copy what the image consists of, and return the folder; for a project in this checkout, the checkout.

    Args:
        settings: of the project.
        report: called with a line of progress.

    Raises:
        PackagesError: the project's packages cannot be resolved.
    """
    from runner.packages import lock  # not installed in the image of the services, which never builds one

    locked = lock.update(settings, report)
    if not is_foreign(settings):
        return CHECKOUT
    context = settings.state / "image"
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir(parents=True)
    for name in ("docker", "requirements", "runner"):
        shutil.copytree(CHECKOUT / name, context / name, ignore=_SKIPPED)
    for name in PACKAGES:
        if (settings.root / name).is_dir():
            shutil.copytree(settings.root / name, context / name, ignore=_SKIPPED)
    shutil.copyfile(dockerfile(settings.root), context / "Dockerfile")
    if locked:
        shutil.copyfile(locked, context / lock.LOCK)
    shutil.copyfile(CHECKOUT / ".dockerignore", context / ".dockerignore")
    return context


def discard(settings: Settings) -> None:
    """Remove the copy after the build: the data folder holds no source of the project."""
    if is_foreign(settings):
        shutil.rmtree(settings.state / "image", ignore_errors=True)
