"""Describes the function's role to the local Lambdas, which check their calls against it."""

from __future__ import annotations

from pathlib import Path

from runner.services.role_credentials import write
from runner.stack import role_session
from runner.template.function_role import FunctionRole


def write_rights(folder: Path, role: FunctionRole | None, *, enforced: bool) -> None:
    """Write the role's policies for the Lambdas; nothing if the role is not known.

    Args:
        folder: where the Lambdas read them.
        enforced: whether credentials of the role will follow.
    """
    if role:
        content = {"name": role.resource, "policies": role.policies, "enforced": enforced}
        write(folder / role_session.RIGHTS, content, 0o644)  # another user in a container
