"""Decides which requests the page answers: those of a browser on this machine that shows the page itself.

A page elsewhere is named in `Origin` or `Sec-Fetch-Site`; one whose own name resolves to 127.0.0.1 (DNS rebinding)
shows in `Host`. What changes something also needs the token, which only the page itself can read.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN_HEADER = "x-page-token"  # noqa: S105  a name
_NAMES = ("127.0.0.1", "localhost", "::1")
_READING = ("GET", "HEAD")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def refusal(method: str, headers: Mapping[str, str]) -> str | None:
    """Return why a request is refused; None if it is not."""
    host, origin = headers.get("host", ""), headers.get("origin")
    if not _is_local(host):
        return f"Host is {host!r}, not this machine"
    if origin is not None and origin != f"http://{host}":
        return f"a page elsewhere sent it (Origin: {origin})"
    site = headers.get("sec-fetch-site", "none")
    follows_a_link = method in _READING and headers.get("sec-fetch-mode") == "navigate"
    if site not in ("same-origin", "none") and not follows_a_link:
        return f"a page elsewhere sent it (Sec-Fetch-Site: {site})"
    return None


def _is_local(host: str) -> bool:
    try:
        return urlsplit(f"//{host}").hostname in _NAMES
    except ValueError:
        return False


class OnlyThisPage:
    """Refuses other requests, and adds the security headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        reason = refusal(scope["method"], Headers(scope=scope))
        app = PlainTextResponse(f"Refused: {reason}. See docs/page.md.\n", 403) if reason else self._app
        await app(scope, receive, send_with_headers)


def is_token(given: str, token: str) -> bool:
    """Return whether a request brought the page's token."""
    return secrets.compare_digest(given.encode(), token.encode())
