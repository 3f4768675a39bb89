"""Builds boto3 clients, with a guard that keeps local processes away from real AWS."""

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
_COMPOSE_SERVICE = "emulator"
# The complete URL must match, because URL parsers disagree about forms such as "http://a\\@b".
_ENDPOINT = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]+)?/?", re.IGNORECASE)

# Fake credentials for the local endpoint, and values that disable every other source of credentials.
FAKE_IDENTITY = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",  # noqa: S105  not a secret
    "AWS_SESSION_TOKEN": "test",  # noqa: S105
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}


def require_local(endpoint_url: str | None) -> str:
    """Return the endpoint if it is on this machine.

    Raises:
        LocalOnlyError: it is missing, or names another host.
    """
    if endpoint_url and is_local(endpoint_url):
        return endpoint_url
    raise LocalOnlyError(
        f"AWS_ENDPOINT_URL={endpoint_url!r} is not on this machine, and the local stack never contacts real AWS. "
        "Unset it, or set it to a local address such as http://127.0.0.1:4566."
    )


def is_local(endpoint_url: str | None) -> bool:
    """Return whether an endpoint is on this machine."""
    if not endpoint_url or not _ENDPOINT.fullmatch(endpoint_url):
        return False
    host = urlsplit(endpoint_url).hostname or ""
    return host == "localhost" or in_compose_network(endpoint_url) or _is_loopback(host)


def in_compose_network(endpoint_url: str | None) -> bool:
    """Return whether an endpoint is the compose service, which only containers in its network can reach."""
    return urlsplit(endpoint_url or "").hostname == _COMPOSE_SERVICE


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def leads_away(variable: str) -> bool:
    """Return whether an environment variable of this name could make an AWS SDK bypass the local endpoint."""
    return variable.upper().startswith("AWS_") or variable.upper().endswith("_PROXY")


def local_environment(endpoint_url: str) -> dict[str, str]:
    """Return the variables with which an AWS SDK in a child process can reach only the local endpoint."""
    return {**FAKE_IDENTITY, "AWS_ENDPOINT_URL": require_local(endpoint_url)}


def config(**more: Any) -> Any:
    """Return the botocore Config of all clients, with more options."""
    from botocore.config import Config

    # Quick retries, because locally a refused connection means that the emulator is restarting.
    return Config(connect_timeout=2, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 4}, **more)


# A session is not thread-safe while it creates a client.
_CLIENT_LOCK = threading.Lock()


@cache
def _local_session() -> Any:
    """Return one session for all local clients: reading botocore's service descriptions again takes 0.1 s or more."""
    import boto3  # takes 0.3 s, which commands without AWS should not pay
    import botocore.session

    # The user's profile and files may be missing, or name other endpoints or programs to run.
    unset = {"profile": None, "config_file": os.devnull, "credentials_file": os.devnull}
    session: Any = botocore.session.Session({name: (None, None, value, None) for name, value in unset.items()})
    return boto3.Session(botocore_session=session)


def local_client(service: str, endpoint_url: str | None) -> Any:
    """Return a client of a service at the local endpoint, with fake credentials whatever the environment says."""
    local = require_local(endpoint_url)
    with _CLIENT_LOCK:
        return _local_session().client(
            service,
            endpoint_url=local,
            region_name=REGION,
            aws_access_key_id=FAKE_IDENTITY["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=FAKE_IDENTITY["AWS_SECRET_ACCESS_KEY"],
            config=config(proxies={}),  # requests to this machine must not go through a proxy
        )


def local_s3(endpoint_url: str | None) -> S3Client:
    """Return an S3 client of the local endpoint."""
    client: S3Client = local_client("s3", endpoint_url)
    _list_keys_unencoded(client)
    return client


def _list_keys_unencoded(client: S3Client) -> None:
    """Request keys without URL encoding: LocalStack's pages of encoded keys are in another order than the list.

    Among more than a thousand objects, those with spaces in their names would be repeated, forever, or missing.
    """
    from botocore.handlers import set_list_objects_encoding_type_url as encode

    client.meta.events.unregister("before-parameter-build.s3.ListObjectsV2", encode)


def local_sqs(endpoint_url: str | None) -> SQSClient:
    """Return an SQS client of the local endpoint."""
    client: SQSClient = local_client("sqs", endpoint_url)
    return client


@cache
def s3() -> S3Client:
    """Return the function's S3 client, with its role and region on AWS, and AWS_ENDPOINT_URL locally."""
    import boto3

    client: S3Client = boto3.client("s3", config=config())
    if is_local(client.meta.endpoint_url):
        _list_keys_unencoded(client)
    return client


def forget() -> None:
    """Let the function's next clients be created anew, with the credentials that are now in the environment."""
    import boto3

    s3.cache_clear()
    bucket.cache_clear()
    boto3.DEFAULT_SESSION = None


@cache
def bucket(name: str) -> Any:
    """Return a bucket resource, as tsdat uses it. It is kept, because creating one costs 10 ms and memory."""
    import boto3

    return boto3.resource("s3").Bucket(name)


@contextmanager
def answering(what: str = "S3 does") -> Iterator[None]:
    """Explain a failed call to a service of the local stack to the user.

    Args:
        what: the service and the verb, for the text "S3 does not answer".

    Raises:
        StackError: the body raised an error of botocore.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise StackError(f"{what} not answer: {error}. Is the stack starting? Try again.") from error
