"""The emulators that the contract is tested against, and AWS for whoever asks for it.

`CONTRACT_AWS=yes scripts/test tests/contract -m aws` uses the credentials of your shell. It creates buckets and queues
whose names start with tsdat-contract, and deletes them.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from runner.aws import clients
from runner.settings import EmulatorName
from tests.support.emulated import emulator

LOCAL_SERVICES = "s3,sqs,sts,sns,events,iam"


@dataclass
class Cloud:
    """Something that has S3 and SQS: an emulator, or AWS."""

    name: str
    endpoint_url: str | None
    region: str = clients.REGION
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """Return a client, kept."""
        if service not in self._clients:
            self._clients[service] = self._make(service)
        return self._clients[service]

    def _make(self, service: str) -> Any:
        if self.endpoint_url is None:
            import boto3

            return boto3.client(service, region_name=self.region)
        if service == "s3":
            return clients.local_s3(self.endpoint_url)
        return clients.local_client(service, self.endpoint_url)

    def unique(self) -> str:
        """Return a name that nothing else has."""
        return f"tsdat-contract-{uuid.uuid4().hex[:12]}"

    def bucket(self, name: str | None = None) -> str:
        """Create a bucket."""
        name = name or self.unique()
        self.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": self.region})
        return name

    def delete_bucket(self, name: str) -> None:
        """Delete a bucket with all versions of its objects."""
        s3 = self.client("s3")
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
            for kind in ("Versions", "DeleteMarkers"):
                for one in page.get(kind, []):
                    s3.delete_object(Bucket=name, Key=one["Key"], VersionId=one["VersionId"])
        s3.delete_bucket(Bucket=name)


AWS = pytest.param("aws", marks=pytest.mark.aws)


@pytest.fixture(scope="session", params=[*EmulatorName, AWS])
def cloud(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Start each emulator once; AWS only on request."""
    if request.param == "aws":
        if os.environ.get("CONTRACT_AWS") != "yes":
            pytest.skip("needs an AWS account: set CONTRACT_AWS=yes and credentials to create buckets and queues in it")
        yield Cloud("aws", None, os.environ.get("AWS_REGION", clients.REGION))
        return
    with emulator(request.param, tmp_path_factory.mktemp(request.param), SERVICES=LOCAL_SERVICES) as url:
        yield Cloud(str(request.param), url)


@pytest.fixture(scope="session")
def endpoint_url(cloud: Cloud) -> str:
    """Return an emulator's endpoint; what emulators have in addition is not tested against AWS."""
    if cloud.endpoint_url is None:
        pytest.skip("AWS is no emulator")
    return cloud.endpoint_url


@pytest.fixture
def differs(request: pytest.FixtureRequest, cloud: Cloud) -> Callable[[str, str], None]:
    """`differs(emulator, entry)`: this test fails there, which docs/emulators.md explains under that entry."""

    def mark(emulator: str, entry: str) -> None:
        if cloud.name == emulator:
            request.applymarker(pytest.mark.xfail(strict=True, reason=f"docs/emulators.md: {entry}"))

    return mark


@pytest.fixture
def bucket(cloud: Cloud) -> Iterator[str]:
    """Create a bucket for the test."""
    name = cloud.bucket()
    yield name
    cloud.delete_bucket(name)


@pytest.fixture
def make_queue(cloud: Cloud) -> Iterator[Callable[..., str]]:
    """`make_queue(**attributes)`: create a queue for the test; return its URL."""
    sqs, made = cloud.client("sqs"), []

    def make(**attributes: str) -> str:
        made.append(sqs.create_queue(QueueName=cloud.unique(), Attributes=attributes)["QueueUrl"])
        return made[-1]

    yield make
    for url in made:
        sqs.delete_queue(QueueUrl=url)
