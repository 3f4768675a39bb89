"""Builds boto3 clients, with the guard that keeps local processes off real AWS."""

from __future__ import annotations

import ipaddress
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from runner.errors import LocalOnlyError, StackError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sqs.client import SQSClient

REGION = "us-west-2"
ACCOUNT = "000000000000"
_COMPOSE_SERVICE = "localstack"
# Nothing else may be in it: what parsers of URLs read differently, such as "http://a\\@b", is no endpoint.
_ENDPOINT = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]+)?/?", re.IGNORECASE)

# Everything a local process needs to reach the local endpoint, and everything that could lead it to real AWS, blinded.
FAKE_IDENTITY = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",  # noqa: S105  LocalStack's own word for "no secret"
    "AWS_SESSION_TOKEN": "test",  # noqa: S105
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}


def require_local(endpoint_url: str | None) -> str:
    """Give the endpoint back if it is on this machine.

    Raises:
        LocalOnlyError: it is missing, or names any other host.
    """
    if endpoint_url and is_local(endpoint_url):
        return endpoint_url
    raise LocalOnlyError(
        f"AWS_ENDPOINT_URL={endpoint_url!r} is not on this machine, and the local stack never talks to real AWS. "
        "Unset it, or set it to a local address such as http://127.0.0.1:4566."
    )


def is_local(endpoint_url: str | None) -> bool:
    """Whether an endpoint is on this machine."""
    if not endpoint_url or not _ENDPOINT.fullmatch(endpoint_url):
        return False
    host = urlsplit(endpoint_url).hostname or ""
    return host == "localhost" or in_compose_network(endpoint_url) or _is_loopback(host)


def in_compose_network(endpoint_url: str | None) -> bool:
    """Whether an endpoint is the compose service's, which only containers beside it can reach."""
    return urlsplit(endpoint_url or "").hostname == _COMPOSE_SERVICE


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def leads_away(variable: str) -> bool:
    """Whether an environment variable, by its name, may lead an AWS SDK away from the local endpoint."""
    return variable.upper().startswith("AWS_") or variable.upper().endswith("_PROXY")


def local_environment(endpoint_url: str) -> dict[str, str]:
    """The variables that make any AWS SDK in a child process local and harmless."""
    return {**FAKE_IDENTITY, "AWS_ENDPOINT_URL": require_local(endpoint_url)}


def config(**more: Any) -> Any:
    """What all clients have in common."""
    from botocore.config import Config

    # Quick retries: locally a refused connection means that LocalStack is starting again.
    return Config(connect_timeout=2, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 4}, **more)


# A session makes one client at a time.
_MAKING = threading.Lock()


@cache
def _local_session() -> Any:
    """One for all local clients: to read botocore's descriptions of services anew for each takes 0.1 s or more."""
    import boto3  # 0.3 s: only for those who talk to AWS
    import botocore.session

    # The developer's profile and files may name other endpoints, programs to run, or not be there at all.
    unset = {"profile": None, "config_file": os.devnull, "credentials_file": os.devnull}
    session: Any = botocore.session.Session({name: (None, None, value, None) for name, value in unset.items()})
    return boto3.Session(botocore_session=session)


def local_client(service: str, endpoint_url: str | None) -> Any:
    """Any service at the local endpoint, with fake credentials whatever the environment holds."""
    local = require_local(endpoint_url)
    with _MAKING:
        return _local_session().client(
            service,
            endpoint_url=local,
            region_name=REGION,
            aws_access_key_id=FAKE_IDENTITY["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=FAKE_IDENTITY["AWS_SECRET_ACCESS_KEY"],
            config=config(proxies={}),  # a proxy of theirs would get what is meant for this machine
        )


def local_s3(endpoint_url: str | None) -> S3Client:
    """S3 at the local endpoint, with fake credentials whatever the environment holds."""
    client: S3Client = local_client("s3", endpoint_url)
    _list_plainly(client)
    return client


def _list_plainly(client: S3Client) -> None:
    """Ask for keys as they are: LocalStack pages through encoded ones in another order than it lists them in.

    Over a thousand objects with spaces in their names, say, then come twice, for ever, or not at all.
    """
    from botocore.handlers import set_list_objects_encoding_type_url as encode

    client.meta.events.unregister("before-parameter-build.s3.ListObjectsV2", encode)


def local_sqs(endpoint_url: str | None) -> SQSClient:
    """SQS at the local endpoint, with fake credentials whatever the environment holds."""
    client: SQSClient = local_client("sqs", endpoint_url)
    return client


@cache
def s3() -> S3Client:
    """S3 as the Lambda sees it: its role and region on AWS, AWS_ENDPOINT_URL locally."""
    import boto3

    client: S3Client = boto3.client("s3", config=config())
    if is_local(client.meta.endpoint_url):
        _list_plainly(client)
    return client


@cache
def bucket(name: str) -> Any:
    """A bucket as tsdat uses it, with one client for the life of the Lambda: building one costs 10 ms and memory."""
    import boto3

    return boto3.resource("s3").Bucket(name)


@contextmanager
def answering(what: str = "S3 does") -> Iterator[None]:
    """Tell a person what it means that a service of the local stack does not answer.

    Raises:
        StackError: it did not.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise StackError(f"{what} not answer: {error}. Is the stack starting? Try again.") from error
