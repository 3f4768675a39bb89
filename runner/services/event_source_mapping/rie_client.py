"""Invoke AWS's Lambda runtime interface emulator and classify its answers. The only place that knows its HTTP.

The status alone says little: a raised exception and a timeout both return 200. A GET on the invoke URL really invokes,
so a health check only connects.
"""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from runner.messages.redaction import redact

_INVOKE_PATH = "/2015-03-31/functions/function/invocations"
# The emulator stops a run at the function timeout; this much later it counts as dead.
_GRACE_S = 20.0

Kind = Literal["answered", "raised", "timed out", "died", "unreachable"]


@dataclass(frozen=True)
class Answer:
    """The result of one invocation: `payload` if the handler returned, otherwise `error` with the reason."""

    kind: Kind
    payload: dict[str, Any] | None = None
    error: str = ""
    traceback: str = ""


@dataclass(frozen=True)
class Emulator:
    """One emulator. It crashes on a second invoke while one runs, so its owner sends one at a time."""

    url: str
    memory_mb: int | None = None
    """MemorySize in template.yaml, for error texts."""

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "127.0.0.1", parts.port or 8080

    def is_up(self) -> bool:
        """Return whether something accepts connections there."""
        try:
            with socket.create_connection(self.address, timeout=1):
                return True
        except OSError:
            return False

    def invoke(self, event: object, timeout_s: float) -> Answer:
        """Send an event and return the answer. Never raise for anything that a Lambda can do.

        Args:
            event: any JSON value.
            timeout_s: the function's timeout, which the emulator enforces.
        """
        connection = http.client.HTTPConnection(*self.address, timeout=timeout_s + _GRACE_S)
        try:
            connection.connect()
        except OSError as error:
            return Answer("unreachable", error=f"No Lambda answers at {self.url}: {error}")
        try:
            connection.request("POST", _INVOKE_PATH, json.dumps(event), {"Content-Type": "application/json"})
            response = connection.getresponse()
            return classify(response.status, response.read(), timeout_s, self.memory_mb)
        except (OSError, http.client.HTTPException) as error:
            return Answer("died", error=f"The Lambda emulator died during the run ({error or type(error).__name__}).")
        finally:
            connection.close()


def replicas(url: str, memory_mb: int | None = None) -> list[Emulator]:
    """Return the emulators behind a URL, one for each address of its host name, as a compose service has."""
    parts = urlsplit(url)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port, socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return []  # the service has no replica now
    addresses = sorted({str(address[0]) for *_, address in found})
    return [Emulator(f"http://{address}:{parts.port}", memory_mb) for address in addresses]


def classify(status: int, body: bytes, timeout_s: float | None = None, memory_mb: int | None = None) -> Answer:
    """Return whether the handler returned or raised, timed out, or its runtime died."""
    text = body.decode("utf-8", "replace").strip()
    try:
        payload = json.loads(text)
    except ValueError:
        payload = None
    if isinstance(payload, dict) and "errorMessage" in payload:
        if "signal: killed" in str(payload["errorMessage"]):
            return Answer("died", error=killed(memory_mb))
        message = f"{payload.get('errorType', 'Error')}: {payload['errorMessage']}"
        return Answer("raised", error=redact(message), traceback=redact("".join(payload.get("stackTrace") or [])))
    if status == http.client.OK and (isinstance(payload, dict) or text == "null"):
        return Answer("answered", payload=payload or {})
    if text.startswith("Task timed out"):
        return Answer("timed out", error=timed_out(text, timeout_s))
    said = redact(text[:200]) or "no text"
    return Answer("died", error=f"The Lambda's runtime died during the run (status {status}: {said}).")


def killed(memory_mb: int | None) -> str:
    """Return the text for a runtime that the kernel killed."""
    size = f" ({memory_mb} MB)" if memory_mb else ""
    return (
        f"The Lambda was killed during the run, most likely because it used more than MemorySize{size} in "
        "template.yaml. Raise it, or have the pipeline hold less data at once."
    )


def timed_out(text: str, timeout_s: float | None) -> str:
    """Return the text for a run that the emulator stopped at the timeout."""
    value = f" is {timeout_s:g}" if timeout_s else ""
    return (
        f"{text}: Timeout in template.yaml{value}. Raise it (AWS allows 900, and the queue's VisibilityTimeout "
        "should be six times as long), or give the pipeline less data at once."
    )


def slow_start(url: str, seconds: float, limit_s: float) -> str:
    """Return the text for a Lambda whose init exceeded AWS's limit."""
    return (
        f"the Lambda at {url} took {seconds:.1f} s to start. AWS allows {limit_s:g} s for init and then starts it "
        "again, at the expense of the first run. Import less at the top of modules."
    )
