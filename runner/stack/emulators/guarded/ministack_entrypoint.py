"""Starts MiniStack behind the guard, on BIND_HOST and GATEWAY_PORT. Runs in MiniStack's environment."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app
from request_guard import refusal

_SCHEME = b"x-forwarded-proto"
_HOSTS = os.environ.get("GUARD_HOSTS", "").split()


def look_into_records(sns: Any) -> None:
    """Let a filter policy look into a list with one object, as SNS does: S3's events are such lists."""
    original = sns._body_lookup

    def lookup(body: dict[str, Any]) -> Any:
        found = original(body)
        inner = found.child

        def child(key: str) -> Any:
            value = body.get(key)
            if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
                return lookup(value[0])
            return inner(key)

        found.child = child
        return found

    sns._body_lookup = lookup


def _correct_sns() -> None:
    """Correct MiniStack's SNS when a request has loaded it; loading it earlier would double the time of a start."""
    sns = sys.modules.get("ministack.services.sns")
    if sns and not hasattr(sns, "corrected"):
        look_into_records(sns)
        sns.corrected = True  # type: ignore[attr-defined]


async def guarded(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer a request that is refused, and pass on every other (ASGI)."""
    if scope["type"] == "websocket":  # nothing that the stack uses speaks it
        await send({"type": "websocket.close", "code": 1008})
        return
    if scope["type"] == "http":
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if reason := refusal(scope["method"], scope["path"], headers.get, _HOSTS):
            text = [(b"content-type", b"text/plain"), (b"content-length", str(len(reason.encode())).encode())]
            await send({"type": "http.response.start", "status": 403, "headers": text})
            await send({"type": "http.response.body", "body": reason.encode()})
            return
        # Policies that require TLS, as template.yaml's do, must hold on AWS, and cannot on this machine.
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] != _SCHEME] + [(_SCHEME, b"https")]
        _correct_sns()
    await app(scope, receive, send)


def main() -> None:
    """Serve until the process is stopped."""
    config = Config()
    config.bind = [f"{os.environ['BIND_HOST']}:{os.environ['GATEWAY_PORT']}"]
    config.keep_alive_timeout = 75  # longer than a client waits before it uses a connection again
    config.loglevel = "WARNING"
    asyncio.run(serve(guarded, config))


if __name__ == "__main__":
    main()
