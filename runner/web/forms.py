"""Reads the forms that the page posts: small, and with its token."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request

from runner.web.page import Page
from runner.web.request_policy import TOKEN_HEADER, is_token

_MOST_BYTES = 65_536


async def read_form(request: Request) -> dict[str, list[str]]:
    """Return the fields of a form.

    Raises:
        HTTPException: it has no token or another one, or it is too long.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise HTTPException(413, "The form is too long.")
    fields = parse_qs(body.decode(errors="replace"))
    require_token(request, fields.get("token", [""])[0])
    return fields


def require_token(request: Request, given: str = "") -> None:
    """Check the token of a request.

    Raises:
        HTTPException: it is missing or another one.
    """
    page: Page = request.app.state.page
    if not is_token(given or request.headers.get(TOKEN_HEADER, ""), page.token):
        raise HTTPException(403, "This page is from before the last start of the stack. Reload it and try again.")
