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

    SQS has no such operation. Each emulator has an endpoint of its own for developers; the other one refuses it.

    Raises:
        StackError: it does not answer.
    """
    connection = http.client.HTTPConnection(urlsplit(endpoint_url).netloc, timeout=30)
    url = quote(queue_url, safe="")
    try:
        found = _get(connection, f"/_ministack/sqs/messages?QueueUrl={url}")
        if found is not None:
            return _from_ministack(found)
        found = _get(connection, f"/_aws/sqs/messages?QueueUrl={url}&ShowInvisible=true&ShowDelayed=true")
        return _from_localstack(found)
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
        raise StackError(
            f"The emulator at {endpoint_url} does not list the messages in {queue_url}: {error!r}"
        ) from error
    finally:
        connection.close()


def _get(connection: http.client.HTTPConnection, path: str) -> Any:
    """Return the answer; None if the emulator does not know the path."""
    connection.request("GET", path, headers={"Accept": "application/json"})
    response = connection.getresponse()
    body = response.read()
    return json.loads(body) if response.status == http.client.OK else None


def _from_ministack(answer: Any) -> list[dict[str, Any]]:
    """Return the messages of `{"messages": {account: {region: {queue: [message]}}}}`."""
    queues = [
        queue for regions in answer["messages"].values() for found in regions.values() for queue in found.values()
    ]
    if not queues:
        raise LookupError("no such queue")
    return [
        message | {"Attributes": message["Attributes"] | {"ApproximateReceiveCount": str(message["ReceiveCount"])}}
        for queue in queues
        for message in queue
    ]


def _from_localstack(answer: Any) -> list[dict[str, Any]]:
    """Return the messages of an answer in the form of the SQS query protocol, in which one message is no list."""
    result = answer["ReceiveMessageResponse"]["ReceiveMessageResult"] or {}
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
