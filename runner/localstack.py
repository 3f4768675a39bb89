"""LocalStack from its Python package: how to start it, and how to tell that it is there."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from runner.errors import StackError
from runner.supervisor import Child

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_HERE = Path(__file__).resolve().parent


def child(state: Path, endpoint_url: str, log: Path) -> Child:
    """LocalStack as a child process, listening on the endpoint and nowhere else, with an empty home of its own.

    Raises:
        StackError: it is not installed.
    """
    interpreter = _HERE.parent / ".venv-localstack/bin/python"
    if not interpreter.exists():
        raise StackError(f"LocalStack is not installed: there is no {interpreter}. scripts/setup makes it.")
    home = state / "localstack"
    tmp = home / "tmp"  # the home keeps a cache that saves 0.2 s; the rest is waste, it can take nothing up again
    shutil.rmtree(tmp, ignore_errors=True)
    tmp.mkdir(parents=True)
    env = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "TMPDIR": str(tmp),
        "SERVICES": "s3,sqs,sts",
        "GATEWAY_LISTEN": urlsplit(endpoint_url).netloc,
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "OVERRIDE_IN_DOCKER": "0",  # in a container it else believes to be in its own image
        "DNS_ADDRESS": "0",  # no name server of its own
        "LS_LOG": "warn",
    }
    argv: list[str | Path] = [
        interpreter,
        "-P",  # else this folder would be searched for modules, and has a localstack.py
        _HERE / "localstack_main.py",
    ]
    return Child("LocalStack", argv, env, log=log, cwd=home)


def is_healthy(endpoint_url: str) -> bool:
    """Whether it answers that it is ready to serve."""
    connection = http.client.HTTPConnection(urlsplit(endpoint_url).netloc, timeout=2)
    try:
        connection.request("GET", "/_localstack/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def messages(endpoint_url: str, queue_url: str) -> list[dict[str, Any]]:
    """All messages of a queue, also those in flight, without receiving them: a look changes nothing.

    SQS has nothing like it; LocalStack's developer endpoint for SQS does.

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
        raise StackError(f"LocalStack at {endpoint_url} does not tell what is in {queue_url}: {error!r}") from error
    finally:
        connection.close()
    found = result.get("Message") or []
    return [found] if isinstance(found, dict) else list(found)


def answers(client: S3Client) -> bool:
    """Whether anything listens at a client's endpoint; asked by connecting, because retries would take seconds."""
    parts = urlsplit(client.meta.endpoint_url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=1):
            return True
    except OSError:
        return False
