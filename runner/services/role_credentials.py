"""Issues the credentials of the function's role for the local Lambdas, as Lambda does on AWS, and renews them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from runner.aws import clients
from runner.template.function_role import FunctionRole
from runner.template.stack_template import StackTemplate

_DURATION_S = 3600
_LEFT_S = 1200  # renewed with this much left: longer than a run may take


class RoleCredentials:
    """The credentials of the role in one emulator, in a file that the Lambdas read."""

    def __init__(self, endpoint_url: str | None, template: StackTemplate, file: Path, mode: int = 0o600) -> None:
        assert template.role  # noqa: S101  the caller checked it
        self._role, self._session_name = template.role, template.function_name
        self._endpoint_url, self._file, self._mode, self._renew_at = endpoint_url, file, mode, 0.0

    @cached_property
    def _iam(self) -> Any:
        return clients.local_client("iam", self._endpoint_url)

    @cached_property
    def _sts(self) -> Any:
        return clients.local_client("sts", self._endpoint_url)

    def issue(self) -> None:
        """Create the role in the emulator, which has lost it if it restarted, and assume it."""
        arn = _create_role(self._iam, self._role.resource, self._role)
        found = self._sts.assume_role(RoleArn=arn, RoleSessionName=self._session_name, DurationSeconds=_DURATION_S)
        write(self._file, found["Credentials"], self._mode)
        self._renew_at = time.monotonic() + _DURATION_S - _LEFT_S

    def renew(self) -> None:
        """Issue credentials if there are none, or if they expire soon. Call it often."""
        if time.monotonic() >= self._renew_at or not self._file.exists():
            self.issue()


def _create_role(iam: Any, name: str, role: FunctionRole) -> str:
    """Create the function's role, or give it the template's policies again; return its ARN.

    On AWS only Lambda may assume it. Here the root user does, on Lambda's behalf.
    """
    root = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{clients.ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    statements = role.trust.get("Statement", [])
    trust = {**role.trust, "Statement": [*(statements if isinstance(statements, list) else [statements]), root]}
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    for policy, document in role.policies.items():
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))
    return str(iam.get_role(RoleName=name)["Role"]["Arn"])


def write(file: Path, content: Mapping[str, Any], mode: int) -> None:
    """Write a JSON file with these permissions, at once."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps(content, default=str))
    unfinished.chmod(mode)
    unfinished.replace(file)
