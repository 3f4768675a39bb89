"""The provisioner gives MiniStack the role of the function, and the Lambdas its credentials, before files arrive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import boto3
import pytest

from runner.aws import clients
from runner.aws.s3 import bucket_epoch
from runner.services import provisioner
from runner.services.role_credentials import RoleCredentials
from runner.settings import EmulatorName
from runner.template.stack_template import StackTemplate
from tests.support.emulated import emulator


@pytest.fixture
def endpoint_url(tmp_path: Path) -> Iterator[str]:
    with emulator(EmulatorName.MINISTACK, tmp_path) as url:
        yield url


def provision(endpoint_url: str, template: StackTemplate, credentials: RoleCredentials | None = None) -> None:
    client = partial(clients.local_client, endpoint_url=endpoint_url)
    provisioner.provision(
        clients.local_s3(endpoint_url), clients.local_sqs(endpoint_url), template, client, credentials
    )


def whoami(endpoint_url: str, file: Path) -> str:
    """Return the ARN of the credentials in a file, as the emulator knows them."""
    found = json.loads(file.read_text())
    sts = boto3.client(
        "sts", endpoint_url=endpoint_url, region_name=clients.REGION, aws_access_key_id=found["AccessKeyId"],
        aws_secret_access_key=found["SecretAccessKey"], aws_session_token=found["SessionToken"],
    )  # fmt: skip
    return str(sts.get_caller_identity()["Arn"])


ROLE = "arn:aws:sts::000000000000:assumed-role/PipelineRole/tsdat-pipeline-lambda"


def test_credentials_are_known_to_each_new_emulator_before_files_can_arrive(tmp_path: Path, described: StackTemplate):
    file, known, had_bucket = tmp_path / "role" / "credentials.json", [], []

    class Watched(RoleCredentials):
        def issue(self) -> None:
            had_bucket.append(bool(bucket_epoch(clients.local_s3(url), described.source_bucket)))
            super().issue()

    for number in range(2):
        with emulator(EmulatorName.MINISTACK, tmp_path / str(number)) as url:
            provision(url, described, Watched(url, described, file))
            assert bucket_epoch(clients.local_s3(url), described.source_bucket)
            assert whoami(url, file) == ROLE
            known.append(file.read_text())
    assert had_bucket == [False, False]
    assert known[0] != known[1]


def test_credentials_are_renewed_only_if_they_are_missing(endpoint_url: str, tmp_path: Path, described: StackTemplate):
    file = tmp_path / "role" / "credentials.json"
    credentials = RoleCredentials(endpoint_url, described, file, 0o644)
    credentials.renew()
    first = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o644
    credentials.renew()
    assert file.read_text() == first
    file.unlink()  # as a second `docker compose up` does
    credentials.renew()
    assert whoami(endpoint_url, file) == ROLE
    assert file.read_text() != first
