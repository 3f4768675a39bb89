"""Talks to AWS's Lambda runtime interface emulator and tells its answers apart. The only place that knows its HTTP.

The status alone is no verdict: a raised exception and a timeout both come with 200. And GET on the invoke URL really
invokes, so whether an emulator lives is asked by connecting only.
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
# The emulator itself ends a run at the function timeout; this much later it is taken for dead.
_GRACE_S = 20.0

Kind = Literal["answered", "raised", "timed out", "died", "unreachable"]


@dataclass(frozen=True)
class Answer:
    """What came of one invocation: `payload` when the handler returned, else `error` with the reason."""

    kind: Kind
    payload: dict[str, Any] | None = None
    error: str = ""
    traceback: str = ""


@dataclass(frozen=True)
class Emulator:
    """One emulator. It crashes on a second invoke while one runs, so its owner sends one at a time."""

    url: str
    memory_mb: int | None = None
    """What template.yaml gives the function, for error texts."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "127.0.0.1", parts.port or 8080

    def is_up(self) -> bool:
        """Whether something accepts connections there."""
        try:
            with socket.create_connection(self.address, timeout=1):
                return True
        except OSError:
            return False

    def invoke(self, event: object, timeout_s: float) -> Answer:
        """Send an event and wait for its answer; never raises for what a Lambda can do.

        Args:
            event: anything that JSON can say.
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
    """The emulators behind a URL: one for each address that its host name has now, as a compose service has."""
    parts = urlsplit(url)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port, socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return []  # the service has no replica now
    addresses = sorted({str(address[0]) for *_, address in found})
    return [Emulator(f"http://{address}:{parts.port}", memory_mb) for address in addresses]


def classify(status: int, body: bytes, timeout_s: float | None = None, memory_mb: int | None = None) -> Answer:
    """Tell a returned value, a raised exception, a timeout and a dead runtime apart."""
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
    """The system killed the runtime, and nobody could tell why."""
    size = f" ({memory_mb} MB)" if memory_mb else ""
    return (
        f"The Lambda was killed during the run, most likely because it used more than MemorySize{size} in "
        "template.yaml. Raise it, or have the pipeline hold less at once."
    )


def timed_out(text: str, timeout_s: float | None) -> str:
    """The emulator ended a run."""
    value = f" is {timeout_s:g}" if timeout_s else ""
    return (
        f"{text}: Timeout in template.yaml{value}. Raise it (AWS allows 900, and the queue's VisibilityTimeout "
        "should be six times as long), or give the pipeline less to do at once."
    )


def slow_start(url: str, seconds: float, limit_s: float) -> str:
    """A Lambda was long in getting ready."""
    return (
        f"the Lambda at {url} took {seconds:.1f} s to start; AWS allows the init phase {limit_s:g} s and then "
        "starts it again, on the time of the first run. Import less at the top of modules."
    )
