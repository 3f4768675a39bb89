"""Carries what compose.yaml needs of template.yaml, which Docker Compose cannot read, and tells when the two differ.

compose.yaml has the template's values as defaults of variables. `runner up --docker` passes the template's own; a plain
`docker compose up` takes the defaults, and a service of its own refuses it when they are not the template's any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runner.errors import StackError
from runner.template import StackTemplate


@dataclass(frozen=True)
class _Variable:
    name: str
    given_as: str
    """The variable of the service in which the value arrives."""
    value: str


def _variables(template: StackTemplate) -> list[_Variable]:
    return [
        _Variable("LAMBDA_MEMORY_MB", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", str(template.memory_mb)),
        _Variable("LAMBDA_TIMEOUT_S", "AWS_LAMBDA_FUNCTION_TIMEOUT", str(template.function_timeout_s)),
        _Variable("LAMBDA_TMP_MB", "LAMBDA_TMP_MB", str(template.ephemeral_storage_mb)),
        _Variable("LAMBDA_NAME", "AWS_LAMBDA_FUNCTION_NAME", template.function_name),
        _Variable("LAMBDA_DESTINATION_BUCKET", "TSDAT_S3_BUCKET_NAME", template.destination_bucket),
        # A person's own LOG_LEVEL counts more, and is no difference.
        _Variable("LAMBDA_LOG_LEVEL", "LAMBDA_LOG_LEVEL", template.environment.get("LOG_LEVEL", "INFO")),
    ]


def variables(template: StackTemplate) -> dict[str, str]:
    """What compose.yaml's variables have to stand for."""
    return {variable.name: variable.value for variable in _variables(template)}


def require_same(template: StackTemplate, given: Mapping[str, str]) -> None:
    """Compare the template with what compose.yaml gave to a service as it gives it to the Lambda.

    Raises:
        StackError: they differ; the text holds what to write where.
    """
    known = _variables(template)
    for_env = [f"{one.name}={one.value}" for one in known if given.get(one.given_as) != one.value]
    fixed = template.environment.keys() - {one.given_as for one in known} - {"LOG_LEVEL"}
    for_compose = [f"{name}: {template.environment[name]}" for name in sorted(fixed)
                   if given.get(name) != template.environment[name]]  # fmt: skip
    if not for_env and not for_compose:
        return
    lines = ["docker compose gives the Lambda other values than template.yaml, which it cannot read."]
    if for_env:
        lines += ["Start with scripts/up --docker, which passes them, or put these lines into .env and start again:"]
        lines += for_env
    if for_compose:
        lines += ["Put these lines below x-lambda-environment in compose.yaml and start again:", *for_compose]
    raise StackError("\n".join(lines))
