"""SAM CLI told of this machine: `sam build` with what .env says, `sam local` against the local S3 and no other.

And it deploys only what was built on AWS's base, which the stand-ins of scripts/offline-images are not.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from runner.aws import clients
from runner.errors import StackError, TemplateError
from runner.settings import CHECKOUT, Settings
from runner.state import stack_lock
from runner.template import cfn_yaml, stack_template

_SAM = CHECKOUT / ".venv-sam/bin/sam"
_STAND_INS = "tsdat-local/"  # as scripts/offline-images names them
_BUILD_ARGUMENTS = ("LAMBDA_BASE", "PYTHON_BASE", "PIP_INDEX_URL", "CODE_VERSION")
_RUNS_THE_FUNCTION = (["local", "invoke"], ["local", "start-lambda"])


def run(settings: Settings, arguments: Sequence[str]) -> None:
    """Become `sam` with these arguments; does not come back.

    Raises:
        RunnerError: nothing was built, or no stack with Docker runs that the function could use.
    """
    added, environment = _told(settings, arguments)
    place = 1 if arguments[0] == "build" else 2
    command = [str(_SAM), *arguments[:place], *added, *arguments[place:]]
    os.execve(_SAM, command, {**os.environ, **environment})  # noqa: S606


def _told(settings: Settings, arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """More options for SAM, and more environment."""
    own = settings.root / ".aws-sam/tsdat-local"  # `sam build` clears only its own folder beside it
    own.mkdir(parents=True, exist_ok=True)
    if {"-h", "--help"} & set(arguments):
        return [], {}
    if arguments[0] == "build":
        return _for_build(settings.root, own)
    if arguments[0] == "deploy":
        refuse_stand_ins(variables(settings.root))
    return _for_local(settings, own) if list(arguments[:2]) in _RUNS_THE_FUNCTION else ([], {})


def _for_build(root: Path, own: Path) -> tuple[list[str], dict[str, str]]:
    said = variables(root)
    ca = said.get("BUILD_CA_BUNDLE") or os.devnull
    (own / "ca.pem").write_bytes(Path(ca).read_bytes())
    tree = told_what_to_build_with(cfn_yaml.load(root / "template.yaml"), said, ca=".aws-sam/tsdat-local/ca.pem")
    described = _written(own / "template.json", tree)
    # SAM looks for its settings beside the template, and would find none there.
    added = ["--use-buildkit", "--template-file", described, "--base-dir", str(root), "--config-file", _config(root)]
    return added, {name: said[name] for name in _BUILD_ARGUMENTS if name in said}


def told_what_to_build_with(tree: dict[str, Any], said: Mapping[str, str], *, ca: str) -> dict[str, Any]:
    """The template for `sam build`: the same, with build arguments, a private CA and a tag of the checkout's own.

    It names the arguments only. buildx takes their values from the environment, so that none of them gets to AWS.
    """
    metadata = _function(tree).setdefault("Metadata", {})
    metadata["DockerBuildExtraParams"] = ["--secret", f"id=ca,src={ca}"]
    for name in _BUILD_ARGUMENTS:
        if said.get(name):
            metadata["DockerBuildExtraParams"] += ["--build-arg", name]
    if said.get("IMAGE_TAG"):
        metadata["DockerImage"] = f"pipelinefunction-{said['IMAGE_TAG']}"
    return tree


def variables(root: Path) -> dict[str, str]:
    """What .env and the shell say; the shell counts more."""
    env_file = root / ".env"
    return {**dotenv(env_file.read_text() if env_file.exists() else ""), **os.environ}


def refuse_stand_ins(said: Mapping[str, str]) -> None:
    """Keep what was not built on AWS's base off AWS; a rehearsal on this machine may have it.

    Raises:
        StackError: .env or the shell names a stand-in.
    """
    base = said.get("LAMBDA_BASE", "")
    if not base.startswith(_STAND_INS) or clients.is_local(said.get("AWS_ENDPOINT_URL")):
        return
    raise StackError(
        f"LAMBDA_BASE={base} is a stand-in that was made for this machine, without Amazon Linux. Deploy only what is "
        "built on AWS's base: delete the line from .env (or unset the variable), and try again where a registry can be "
        "reached."
    )


def _for_local(settings: Settings, own: Path) -> tuple[list[str], dict[str, str]]:
    built = settings.root / ".aws-sam/build/template.yaml"
    if not built.exists():
        raise StackError(f"{built} is not there: nothing is built yet. Run `scripts/sam build` first.")
    local = clients.local_environment("http://localstack:4566")
    network = network_of(stack_lock.running_at(settings))
    described = _written(own / "local.json", told_where_s3_is(cfn_yaml.load(built), local))
    # For SAM a variable of the shell counts more than the template's, and HOME is such a one.
    own_variables = stack_template.load(settings.root / "template.yaml").environment
    overrides = _written(own / "environment.json", {"Parameters": {**own_variables, **local}})
    added = ["--template", described, "--docker-network", network, "--env-vars", overrides]
    return [*added, "--config-file", _config(settings.root)], local


def told_where_s3_is(tree: dict[str, Any], local: Mapping[str, str]) -> dict[str, Any]:
    """The template for `sam local`: SAM gives the function only variables that its template names."""
    _function(tree)["Properties"]["Environment"]["Variables"].update(local)
    return tree


def network_of(endpoint_url: str | None) -> str:
    """The Docker network in which the running stack's S3 is.

    Raises:
        StackError: no stack runs, or one without Docker, which listens on this machine's loopback only.
    """
    port = urlsplit(endpoint_url or "").port
    if port:
        command = ["docker", "ps", "--filter", f"publish={port}", "--format", "{{.Networks}}"]
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
        if found:
            return found[0]
    what = f"The stack at {endpoint_url} runs without Docker" if endpoint_url else "No stack runs"
    raise StackError(f"{what}, and `sam local` needs S3 in a Docker network. Start one: `runner up --docker`.")


def dotenv(text: str) -> dict[str, str]:
    """The variables in a .env file, as compose reads plain ones."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("'\"") for name, value in pairs}


def _function(tree: dict[str, Any]) -> dict[str, Any]:
    for resource in tree["Resources"].values():
        if resource.get("Type") == "AWS::Serverless::Function" and resource["Properties"].get("PackageType") == "Image":
            found: dict[str, Any] = resource
            return found
    raise TemplateError("template.yaml has no function of PackageType Image, so there is nothing to build or to run.")


def _written(path: Path, content: Mapping[str, Any]) -> str:
    path.write_text(json.dumps(content, indent=1))
    return str(path)


def _config(root: Path) -> str:
    return str(root / "samconfig.toml")
