"""Brings the stack to AWS and takes it down again, with SAM CLI and the environments of samconfig.toml."""

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
from runner.errors import AwsError, SettingsError, StoppedError
from runner.settings import CHECKOUT, Settings

_SAM = CHECKOUT / "scripts/sam"


@dataclass(frozen=True)
class Target:
    """A stack's name and region, as one environment of samconfig.toml has them."""

    stack: str
    region: str


def target(samconfig: Mapping[str, Any], environment: str) -> Target:
    """The stack that an environment names.

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
    """Validate, build and deploy; gives the exit code of the step that failed, or 0.

    Raises:
        RunnerError: what would be built is not for AWS, or there is no such environment.
    """
    sam.refuse_stand_ins(sam.variables(settings.root))
    target(_read(samconfig), environment)
    for step in (["validate"], ["build"], ["deploy", *options]):
        say(f"sam {' '.join(step)} --config-env {environment}")
        done = _sam(settings, [*step, "--config-env", environment, "--config-file", str(samconfig)])
        if done:
            return done
    return 0


def undeploy(settings: Settings, environment: str, samconfig: Path, *, delete_data: bool | None, sure: bool) -> int:
    """Take a stack down, and keep or delete the data in its buckets; gives the exit code.

    Args:
        delete_data: None asks.
        sure: nobody is asked to confirm.

    Raises:
        RunnerError: there is no such stack, AWS refuses something, or the answer was no.
    """
    if not sys.stdin.isatty() and (delete_data is None or not sure):
        raise SettingsError("Nobody is there to be asked. Say --keep-data or --delete-data, and --yes.")
    where = target(_read(samconfig), environment)
    try:
        buckets = _show(where)
        delete_data = _wants_to_delete() if delete_data is None else delete_data
        if not sure and input(f"Type {where.stack} to take it down: ").strip() != where.stack:
            raise StoppedError("That is not its name. Nothing was changed.")
        # First the stack: without it no run stores anything more, and if it cannot go, the data is still there.
        done = _sam(settings, ["delete", "--no-prompts", "--config-env", environment, "--config-file", str(samconfig)])
        return done or _see_to_the_data(where, buckets, delete_data=delete_data)
    except (ClientError, BotoCoreError) as error:
        raise AwsError(
            f"AWS does not answer as it should: {error}. AWS_PROFILE says as who you ask; "
            f"the stack is {where.stack} in {where.region}. Nothing but what is named above was changed."
        ) from error


def _show(where: Target) -> list[str]:
    number = account.client("sts", where.region).get_caller_identity()["Account"]
    formation, s3 = account.client("cloudformation", where.region), account.client("s3", where.region)
    formation.describe_stacks(
        StackName=where.stack
    )  # refused when there is none; a list of resources may be an old one
    pages = formation.get_paginator("list_stack_resources").paginate(StackName=where.stack)
    found = [one for page in pages for one in page["StackResourceSummaries"] if one.get("PhysicalResourceId")]
    names = [one["PhysicalResourceId"] for one in found if one["ResourceType"] == "AWS::S3::Bucket"]
    buckets = [name for name in names if bucket_cleanup.exists(s3, name)]
    say(f"stack {where.stack} in {where.region}, account {number}: {len(found)} resources, {len(buckets)} buckets")
    for name in buckets:
        say(f"  {name}: {bucket_cleanup.content(s3, name)}")
    return buckets


def _wants_to_delete() -> bool:
    answer = input("The data in these buckets: keep or delete? ").strip().lower()
    if answer not in ("keep", "delete"):
        raise StoppedError(f"{answer!r} is neither keep nor delete. Nothing was changed.")
    return answer == "delete"


def _see_to_the_data(where: Target, buckets: Sequence[str], *, delete_data: bool) -> int:
    s3 = account.client("s3", where.region)
    missing = [name for name in buckets if not bucket_cleanup.exists(s3, name)]
    if delete_data:
        for name in [name for name in buckets if name not in missing]:
            say(f"  {name}: {bucket_cleanup.empty(s3, name)} versions deleted, and the bucket")
            s3.delete_bucket(Bucket=name)
    elif missing:
        raise AwsError(f"{', '.join(missing)} went with the stack, though DeletionPolicy in template.yaml is Retain.")
    else:
        for name in buckets:
            say(f"  {name}: kept. A stack that is to make a bucket of this name cannot be deployed while it is there.")
    return 0


def _read(samconfig: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(samconfig.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{samconfig} cannot be read: {error}. Mend it, or name another: --config-file.") from error


def _sam(settings: Settings, arguments: Sequence[str]) -> int:
    environment = {**os.environ, "RUNNER_ROOT": str(settings.root)}
    return subprocess.run([_SAM, *arguments], cwd=settings.root, env=environment, check=False).returncode
