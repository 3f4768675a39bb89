"""What Docker Compose and the dev container read in a project.

compose.yaml and .devcontainer are the same for everyone who clones the project. What differs between machines, such as
the folder of this checkout, is in `.env`, which Git ignores.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from runner.cli.project_files.shipped import ProjectFile, name_of, shipped
from runner.settings import CHECKOUT
from runner.stack.build_variables import dotenv

_CHECKOUT = "${TSDAT_LOCAL:?run `runner init` in this folder, which writes .env}"
# The included compose.yaml reads the .env of the checkout. The dev container's file, which includes nothing, does not.
_OF_DEV_CONTAINER = ("PYTHON_BASE", "PIP_INDEX_URL")
_IN_CONTAINER = "/home/dev/project"


def files(project: Path) -> list[ProjectFile]:
    """Return the files that go into the project's Git repository."""
    name = name_of(project)
    return [
        ProjectFile("compose.yaml", "the stack for `docker compose up`", _compose(name)),
        ProjectFile(".devcontainer/devcontainer.json", "the dev container of VS Code", _dev_container(name)),
        ProjectFile(".devcontainer/compose.yaml", "its container, beside the stack's", _dev_compose(name)),
    ]


def variables(project: Path, container_name: str) -> dict[str, str]:
    """Return the variables of `.env`.

    Args:
        project: the project's folder.
        container_name: a name for its image and containers, different for each folder.
    """
    state = project / "data" / "state"
    found = {
        "TSDAT_LOCAL": CHECKOUT, "RUNNER_ROOT": project, "RUNNER_DATA": project / "data",
        "LAMBDA_CONTEXT": state / "image", "LAMBDA_IMAGE": f"tsdat-local/lambda:{container_name}",
        "STACK_NAME": f"tsdat-local-{container_name}",
    }  # fmt: skip
    # Docker would create a missing folder in the project, as root.
    empty = {
        f"PROJECT_{name.upper()}": state / "empty" for name in ("shared", "utils") if not (project / name).is_dir()
    }
    own = CHECKOUT / ".env"
    known = dotenv(own.read_text(encoding="utf-8")) if own.is_file() else {}
    builds = {name: known[name] for name in _OF_DEV_CONTAINER if name in known}
    return {name: str(value) for name, value in (found | empty | builds).items()}


def quoted(variables: Mapping[str, str]) -> dict[str, str]:
    """Return each variable as a line of `.env`, which Compose reads back unchanged."""
    lines = {}
    for name, value in variables.items():
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
        lines[name] = f'{name}="{escaped}"'
    return lines


def _compose(name: str) -> str:
    return f"""\
# The stack of tsdat-local with this project's pipelines: run `docker compose up`, then drop files into data/inbox. On a
# new machine, after an upgrade of tsdat-local, and after a change of requirements.txt, run `runner init` first: it
# writes .env, and collects in data/state/image what the image is built from.
name: ${{STACK_NAME:-{name}}}

include:
  - path: {_CHECKOUT}/compose.yaml
    project_directory: {_CHECKOUT}
"""


def _dev_container(name: str) -> str:
    described = json.loads(shipped(".devcontainer/devcontainer.json"))
    described |= {
        "name": name, "workspaceFolder": _IN_CONTAINER, "postCreateCommand": "/home/dev/tsdat-local/.devcontainer/setup"
    }  # fmt: skip
    del described["initializeCommand"]  # the checkout has these folders since its own setup
    extensions = described["customizations"]["vscode"]["extensions"]
    extensions.remove("vsls-contrib.codetour")
    return json.dumps(described, indent=4) + "\n"


def _dev_compose(name: str) -> str:
    mounts = f"""\
      - {{type: bind, source: "${{TSDAT_LOCAL}}", target: /home/dev/tsdat-local}}
      - {{type: bind, source: "${{RUNNER_ROOT}}", target: {_IN_CONTAINER}}}
"""
    changes = {
        "name: tsdat-local-dev": f"name: ${{STACK_NAME:-{name}}}-dev",
        "      context: .devcontainer\n": "      context: ${TSDAT_LOCAL}/.devcontainer\n",
        "args: {": 'args: {HOST_CHECKOUT: "${TSDAT_LOCAL}", ',
        "    environment:\n": f"    environment:\n      RUNNER_ROOT: {_IN_CONTAINER}\n",
        "      - .:/home/dev/tsdat-local\n": mounts,
    }
    return shipped(".devcontainer/compose.yaml", changes)
