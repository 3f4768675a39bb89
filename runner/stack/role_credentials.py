"""Issues the credentials of the function's role for the local Lambdas, as Lambda does on AWS, and renews them."""

from __future__ import annotations

import time
from functools import cached_property
from pathlib import Path
from typing import Any

from runner.aws import clients
from runner.services import provisioner
from runner.stack import role_session
from runner.template.function_role import FunctionRole
from runner.template.stack_template import StackTemplate

_DURATION_S = 3600
_LEFT_S = 1200  # renewed with this much left: longer than a run may take


def write_rights(folder: Path, role: FunctionRole | None, *, enforced: bool) -> None:
    """Write the role's policies for the Lambdas; nothing if the role is not known.

    Args:
        folder: where the Lambdas read them.
        enforced: whether credentials of the role will follow.
    """
    if role:
        content = {"name": role.resource, "policies": role.policies, "enforced": enforced}
        role_session.write(folder, role_session.RIGHTS, content, 0o644)  # another user in a container


class RoleCredentials:
    """The credentials of the role in one emulator."""

    def __init__(self, endpoint_url: str, template: StackTemplate, folder: Path) -> None:
        assert template.role  # noqa: S101  the caller checked it
        self._role, self._session_name, self._folder = template.role, template.function_name, folder
        self._endpoint_url, self._arn, self._renew_at = endpoint_url, "", 0.0

    @cached_property
    def _sts(self) -> Any:
        return clients.local_client("sts", self._endpoint_url)

    def issue(self) -> None:
        """Create the role in the emulator, which has lost it if it restarted, and assume it."""
        iam = clients.local_client("iam", self._endpoint_url)
        self._arn = provisioner.create_role(iam, self._role.resource, self._role)
        self._assume()

    def renew(self) -> None:
        """Assume the role again if its credentials expire soon. Call it often."""
        if time.monotonic() >= self._renew_at:
            self._assume()

    def _assume(self) -> None:
        found = self._sts.assume_role(
            RoleArn=self._arn, RoleSessionName=self._session_name, DurationSeconds=_DURATION_S
        )
        role_session.write(self._folder, role_session.CREDENTIALS, found["Credentials"], 0o600)
        self._renew_at = time.monotonic() + _DURATION_S - _LEFT_S
