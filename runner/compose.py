"""Brings what template.yaml says to the Docker stack: Compose cannot read it.

A service writes the function's environment into a volume, from where `lambda_start` gives it to the Lambda. Only what a
container gets when it is made stands in compose.yaml too.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from runner import lambda_start
from runner.errors import StackError
from runner.template.stack_template import StackTemplate


def variables(template: StackTemplate) -> dict[str, str]:
    """What compose.yaml's variables about the Lambda have to stand for; then the kernel itself limits its memory."""
    return {"LAMBDA_MEMORY_MB": str(template.memory_mb), "LAMBDA_TMP_MB": str(template.ephemeral_storage_mb)}


def prepare(template: StackTemplate, folder: Path, tmp_mb: str) -> None:
    """Put what the Lambda's container starts with into a folder.

    Args:
        tmp_mb: the size that compose.yaml gives the Lambda's /tmp.

    Raises:
        StackError: that is not the template's; the text holds what to write where.
    """
    wanted = str(template.ephemeral_storage_mb)
    if tmp_mb != wanted:
        raise StackError(
            f"template.yaml gives /tmp {wanted} MB (EphemeralStorage), docker compose {tmp_mb} MB, and it cannot read "
            "the template. Start with scripts/up --docker, or put this line into .env and start again:\n"
            f"LAMBDA_TMP_MB={wanted}"
        )
    (folder / lambda_start.ENVIRONMENT).write_text(json.dumps(template.function_environment))
    shutil.copyfile(lambda_start.__file__, folder / "start.py")
