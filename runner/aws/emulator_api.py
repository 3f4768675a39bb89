"""What an emulator offers beyond AWS: its health, and the contents of a queue without receiving them."""

from __future__ import annotations

import http.client
import json
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from runner.errors import StackError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


def is_healthy(endpoint_url: str) -> bool:
    """Return whether the emulator reports that it is ready."""
    connection = http.client.HTTPConnection(urlsplit(endpoint_url).netloc, timeout=2)
    try:
        connection.request("GET", "/_localstack/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def messages(endpoint_url: str, queue_url: str) -> list[dict[str, Any]]:
    """Return all messages of a queue, including those in flight, without receiving them.

    SQS has no such operation. This is LocalStack's developer endpoint for SQS.

    Raises:
        StackError: it does not answer.
    """
    path = f"/_aws/sqs/messages?QueueUrl={quote(queue_url, safe='')}&ShowInvisible=true&ShowDelayed=true"
    connection = http.client.HTTPConnection(urlsplit(endpoint_url).netloc, timeout=30)
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        answer = json.load(connection.getresponse())
        result = answer["ReceiveMessageResponse"]["ReceiveMessageResult"] or {}
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
        raise StackError(
            f"LocalStack at {endpoint_url} does not list the messages in {queue_url}: {error!r}"
        ) from error
    finally:
        connection.close()
    found = result.get("Message") or []
    return [found] if isinstance(found, dict) else list(found)


def answers(client: S3Client) -> bool:
    """Return whether something listens at a client's endpoint, without a request, whose retries would take seconds."""
    parts = urlsplit(client.meta.endpoint_url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=1):
            return True
    except OSError:
        return False
