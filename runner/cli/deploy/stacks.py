"""`scripts/deploy` and `scripts/undeploy`: with SAM CLI and the environments of samconfig.toml."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from runner.cli.deploy import account, bucket_cleanup, sam
from runner.cli.output import say
from runner.errors import AwsError, SettingsError
from runner.settings import CHECKOUT, Settings
from runner.stack import build_variables

_SAM = CHECKOUT / "scripts/sam"
_BUCKET = "AWS::S3::Bucket"
# The statuses of a resource that exists. DELETE_SKIPPED is a retained one, after a deletion that failed.
_MADE = {
    "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "DELETE_FAILED",
    "DELETE_SKIPPED",
}  # fmt: skip


@dataclass(frozen=True)
class Target:
    """Name and region of a stack, from one environment of samconfig.toml."""

    stack: str
    region: str


def target(samconfig: Mapping[str, Any], environment: str) -> Target:
    """Return the stack that an environment names.

    Raises:
        SettingsError: there is no such environment, or it names no stack.
    """
    known = [name for name, content in samconfig.items() if isinstance(content, Mapping)]
    if environment not in known:
        raise SettingsError(f"samconfig.toml has no environment {environment!r}. Known: {', '.join(known) or 'none'}.")
    described: dict[str, str] = {}
    for command in ("global", "deploy"):
        described |= samconfig[environment].get(command, {}).get("parameters", {})
    missing = [name for name in ("stack_name", "region") if name not in described]
    if missing:
        raise SettingsError(
            f"samconfig.toml: [{environment}.global.parameters] has no {' and no '.join(missing)}. Add it."
        )
    return Target(described["stack_name"], described["region"])


def deploy(settings: Settings, environment: str, samconfig: Path, options: Sequence[str]) -> int:
    """Validate, build and deploy, and return the exit code of the step that failed, or 0.

    Raises:
        RunnerError: the image would be built on a stand-in, or there is no such environment.
    """
    sam.refuse_stand_ins(build_variables.of(settings.root))
    target(_read(samconfig), environment)
    for step in (["validate", "--template-file", str(settings.template_file)], ["build"], ["deploy", *options]):
        say(f"sam {' '.join(step)} --config-env {environment}")
        code = _sam(settings, [*step, "--config-env", environment, "--config-file", str(samconfig)])
        if code:
            return code
    return 0


def undeploy(
    settings: Settings, environment: str, samconfig: Path, *, delete_data: bool | None, confirmed: bool
) -> int:
    """Delete a stack, keep or delete the data in its buckets, and return the exit code.

    Args:
        settings: of the project.
        environment: of samconfig.toml.
        samconfig: the file.
        delete_data: None asks.
        confirmed: do not ask for the stack's name.

    Raises:
        RunnerError: there is no such stack, AWS refuses a request, or the user did not confirm.
    """
    if not sys.stdin.isatty() and (delete_data is None or not confirmed):
        raise SettingsError(
            "There is no terminal to ask for confirmation. Add --keep-data or --delete-data, and --yes."
        )
    found = target(_read(samconfig), environment)
    try:
        buckets = _show(found)
        delete_data = _wants_to_delete() if delete_data is None else delete_data
        if not confirmed and input(f"Type {found.stack} to delete it: ").strip() != found.stack:
            raise SettingsError("That is not its name. Nothing was changed.")
        # First the stack: then no run stores anything, and if the stack cannot be deleted, the data is still there.
        code = _sam(settings, ["delete", "--no-prompts", "--config-env", environment, "--config-file", str(samconfig)])
        return code or _keep_or_delete(found, buckets, delete_data=delete_data)
    except (ClientError, BotoCoreError) as error:
        raise AwsError(
            f"AWS refused a request: {error}. AWS_PROFILE selects the account; "
            f"the stack is {found.stack} in {found.region}. Only what is named above was changed."
        ) from error


def _show(found: Target) -> list[str]:
    """Print what a stack consists of, and return its buckets."""
    number = account.client("sts", found.region).get_caller_identity()["Account"]
    formation, s3 = account.client("cloudformation", found.region), account.client("s3", found.region)
    # This fails if there is no such stack; its list of resources may outlive it.
    formation.describe_stacks(StackName=found.stack)
    pages = formation.get_paginator("list_stack_resources").paginate(StackName=found.stack)
    resources = [one for page in pages for one in page["StackResourceSummaries"] if one.get("PhysicalResourceId")]
    mine, others = made_buckets(resources)
    for name, status in others.items():
        say(f"  {name}: not touched, because this stack did not create it ({status})")
    buckets = [name for name in mine if bucket_cleanup.exists(s3, name)]
    say(f"stack {found.stack} in {found.region}, account {number}: {len(resources)} resources, {len(buckets)} buckets")
    for name in buckets:
        say(f"  {name}: {bucket_cleanup.content(s3, name)}")
    return buckets


def made_buckets(resources: Sequence[Mapping[str, Any]]) -> tuple[list[str], dict[str, str]]:
    """Return the buckets that a stack has created, and the status of the others by name.

    A bucket that failed to be created has a name, too: mostly that of a bucket that somebody else has.
    """
    found = {one["PhysicalResourceId"]: one["ResourceStatus"] for one in resources if one["ResourceType"] == _BUCKET}
    made = [name for name, status in found.items() if status in _MADE]
    return made, {name: status for name, status in found.items() if status not in _MADE}


def _wants_to_delete() -> bool:
    answer = input("The data in these buckets: keep or delete? ").strip().lower()
    if answer not in ("keep", "delete"):
        raise SettingsError(f"{answer!r} is neither keep nor delete. Nothing was changed.")
    return answer == "delete"


def _keep_or_delete(found: Target, buckets: Sequence[str], *, delete_data: bool) -> int:
    s3 = account.client("s3", found.region)
    missing = [name for name in buckets if not bucket_cleanup.exists(s3, name)]
    if delete_data:
        for name in [name for name in buckets if name not in missing]:
            say(f"  {name}: {bucket_cleanup.empty(s3, name)} versions deleted, and the bucket")
            s3.delete_bucket(Bucket=name)
    elif missing:
        raise AwsError(
            f"{', '.join(missing)} was deleted with the stack, although DeletionPolicy in template.yaml retains it."
        )
    else:
        for name in buckets:
            say(f"  {name}: kept. A stack that creates a bucket of this name cannot be deployed while it exists.")
    return 0


def _read(samconfig: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(samconfig.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{samconfig} cannot be read: {error}. Fix it, or name another: --config-file.") from error


def _sam(settings: Settings, arguments: Sequence[str]) -> int:
    environment = {**os.environ, "RUNNER_ROOT": str(settings.root)}
    return subprocess.run([_SAM, *arguments], cwd=settings.root, env=environment, check=False).returncode
