"""The name of the compose project: one for each checkout, project and data folder, the same at each start.

Two stacks of one name would replace each other's containers.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess

from runner.errors import StackError
from runner.settings import CHECKOUT, Settings
from runner.stack import build_variables, image_context

_VARIABLE = "COMPOSE_PROJECT_NAME"


def name(settings: Settings) -> str:
    """Return the name that COMPOSE_PROJECT_NAME sets, or one from the folders.

    In this checkout with its own data folder it is the one that `docker compose` itself chooses.
    """
    if chosen := os.environ.get(_VARIABLE):
        return chosen
    base = build_variables.of(settings.root).get(_VARIABLE)
    if not base and image_context.is_foreign(settings):
        base = f"tsdat-local-{image_context.name_of(settings.root)}"
    base = base or re.sub(r"[^-_a-z0-9]", "", CHECKOUT.name.lower()).lstrip("-_") or "tsdat-local"
    if settings.data == settings.root / "data":
        return base
    return f"{base}-{hashlib.sha256(str(settings.data).encode()).hexdigest()[:6]}"


def require_own(project: str) -> None:
    """Check that no other checkout runs a stack of this name.

    Raises:
        StackError: one does. The text says which line to write where.
    """
    folder = "com.docker.compose.project.working_dir"
    listing = ["docker", "ps", "--filter", f"label=com.docker.compose.project={project}", "--format"]
    done = subprocess.run([*listing, f'{{{{.Label "{folder}"}}}}'], capture_output=True, text=True, check=False)
    others = {line for line in done.stdout.splitlines() if line and line != str(CHECKOUT)}
    if others:
        raise StackError(
            f"A Docker stack named {project!r} of another folder runs: {', '.join(sorted(others))}. Stop it, or "
            f"name this one: add this line to {CHECKOUT / '.env'} and start again:\n{_VARIABLE}={project}-2"
        )
