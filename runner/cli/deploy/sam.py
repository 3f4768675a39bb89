"""`scripts/sam`: `sam build` with the build arguments of .env, and `sam local` with the local S3.

It refuses to deploy an image that was built on a stand-in of scripts/offline-images instead of AWS's base image.
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
from runner.cli.output import say
from runner.errors import StackError, TemplateError
from runner.settings import CHECKOUT, Settings
from runner.stack import build_variables, image_context
from runner.state import stack_lock
from runner.template import cfn_yaml, stack_template

_SAM = CHECKOUT / ".venv-sam/bin/sam"
_STAND_INS = "tsdat-local/"  # as scripts/offline-images names them
_BUILD_ARGUMENTS = ("LAMBDA_BASE", "PYTHON_BASE", "PIP_INDEX_URL", "CODE_VERSION")
_RUNS_THE_FUNCTION = (["local", "invoke"], ["local", "start-lambda"])


def run(settings: Settings, arguments: Sequence[str]) -> None:
    """Replace this process by `sam` with these arguments.

    Raises:
        RunnerError: nothing was built, or no stack with Docker is running.
    """
    added, environment = _additions(settings, arguments)
    verb = 1 if arguments[0] == "build" else 2  # words
    command = [str(_SAM), *arguments[:verb], *added, *arguments[verb:]]
    os.execve(_SAM, command, {**os.environ, **environment})  # noqa: S606


def _additions(settings: Settings, arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return options and environment variables to add for SAM."""
    own = settings.root / ".aws-sam/tsdat-local"  # `sam build` clears only its own folder beside it
    own.mkdir(parents=True, exist_ok=True)
    if {"-h", "--help"} & set(arguments):
        return [], {}
    if arguments[0] == "build":
        return _for_build(settings, own)
    if arguments[0] == "deploy":
        refuse_stand_ins(build_variables.of(settings.root))
    return _for_local(settings, own) if list(arguments[:2]) in _RUNS_THE_FUNCTION else ([], {})


def _for_build(settings: Settings, own: Path) -> tuple[list[str], dict[str, str]]:
    known, context = build_variables.with_code_version(settings.root), image_context.stage(settings, say)
    ca = known.get("BUILD_CA_BUNDLE") or os.devnull
    (own / "ca.pem").write_bytes(Path(ca).read_bytes())
    tree = with_build_arguments(cfn_yaml.load(settings.template_file), known, ca=str(own / "ca.pem"))
    template = _written(own / "template.json", tree)
    # By default SAM looks for samconfig.toml beside the template, where there is none.
    added = [
        "--use-buildkit",
        "--template-file",
        template,
        "--base-dir",
        str(context),
        "--config-file",
        str(config_of(settings.root)),
    ]
    return added, {name: known[name] for name in _BUILD_ARGUMENTS if name in known}


def with_build_arguments(tree: dict[str, Any], known: Mapping[str, str], *, ca: str) -> dict[str, Any]:
    """Return the template for `sam build`, with build arguments, a private CA and the image tag of this checkout.

    It names the arguments only. buildx reads their values from the environment, so none of them reaches AWS.
    """
    metadata = _function(tree).setdefault("Metadata", {})
    metadata["DockerBuildExtraParams"] = ["--secret", f"id=ca,src={ca}"]
    for name in _BUILD_ARGUMENTS:
        if known.get(name):
            metadata["DockerBuildExtraParams"] += ["--build-arg", name]
    if known.get("IMAGE_TAG"):
        metadata["DockerImage"] = f"pipelinefunction-{known['IMAGE_TAG']}"
    return tree


def refuse_stand_ins(known: Mapping[str, str]) -> None:
    """Refuse to deploy an image with a stand-in base to AWS; a rehearsal on this machine may use one.

    Raises:
        StackError: LAMBDA_BASE in .env or in the shell is a stand-in.
    """
    base = known.get("LAMBDA_BASE", "")
    if not base.startswith(_STAND_INS) or clients.is_local(known.get("AWS_ENDPOINT_URL")):
        return
    raise StackError(
        f"LAMBDA_BASE={base} is a stand-in that was built on this machine, without Amazon Linux. Deploy only images on "
        "AWS's base: delete the line from .env (or unset the variable), and try again where you can reach a registry."
    )


def _for_local(settings: Settings, own: Path) -> tuple[list[str], dict[str, str]]:
    built = settings.root / ".aws-sam/build/template.yaml"
    if not built.exists():
        raise StackError(f"{built} does not exist: nothing is built yet. Run `scripts/sam build` first.")
    local = clients.local_environment("http://emulator:4566")
    network = network_of(stack_lock.running_at(settings))
    template = _written(own / "local.json", with_local_s3(cfn_yaml.load(built), local))
    # A variable of the shell, such as HOME, overrides the template's in SAM.
    own_variables = stack_template.load_for(settings).environment
    overrides = _written(own / "environment.json", {"Parameters": {**own_variables, **local}})
    added = ["--template", template, "--docker-network", network, "--env-vars", overrides]
    return [*added, "--config-file", str(config_of(settings.root))], local


def with_local_s3(tree: dict[str, Any], local: Mapping[str, str]) -> dict[str, Any]:
    """Return the template for `sam local`. SAM passes the function only variables that the template names."""
    _function(tree)["Properties"]["Environment"]["Variables"].update(local)
    return tree


def network_of(endpoint_url: str | None) -> str:
    """Return the Docker network of the running stack's S3.

    Raises:
        StackError: no stack runs, or it runs without Docker and listens on 127.0.0.1 only.
    """
    port = urlsplit(endpoint_url or "").port
    if port:
        command = ["docker", "ps", "--filter", f"publish={port}", "--format", "{{.Networks}}"]
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
        if found:
            return found[0]
    what = f"The stack at {endpoint_url} runs without Docker" if endpoint_url else "No stack runs"
    raise StackError(f"{what}, and `sam local` needs S3 in a Docker network. Start one: `runner up --docker`.")


def _function(tree: dict[str, Any]) -> dict[str, Any]:
    for resource in tree["Resources"].values():
        if resource.get("Type") == "AWS::Serverless::Function" and resource["Properties"].get("PackageType") == "Image":
            found: dict[str, Any] = resource
            return found
    raise TemplateError("template.yaml has no function of PackageType Image, so there is nothing to build or run.")


def _written(path: Path, content: Mapping[str, Any]) -> str:
    path.write_text(json.dumps(content, indent=1))
    return str(path)


def config_of(root: Path) -> Path:
    """Return the project's samconfig.toml, or the shipped one."""
    own = root / "samconfig.toml"
    return own if own.exists() else CHECKOUT / own.name
