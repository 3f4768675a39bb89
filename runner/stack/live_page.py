"""The port of the live page, and the line that prints its address."""

from __future__ import annotations

from dataclasses import replace

from runner.errors import StackError
from runner.settings import DEFAULT_WEB_PORT, Settings
from runner.stack import ports


def with_port(settings: Settings) -> Settings:
    """Return the settings with the port of the live page: the default one, or any if another stack has that.

    Raises:
        StackError: the port that the settings name is in use.
    """
    if not settings.has_page:
        return settings
    if settings.web_port:
        ports.require_free(address(settings), "runner up --web-port 8781")
        return settings
    try:
        found = replace(settings, web_port=DEFAULT_WEB_PORT)
        ports.require_free(address(found), "")
    except StackError:
        return replace(settings, web_port=ports.free_port())
    return found


def address(settings: Settings) -> str:
    """Return the address of the live page."""
    return f"http://127.0.0.1:{settings.web_port or DEFAULT_WEB_PORT}"


def line(settings: Settings) -> str:
    """Return the line that prints the address."""
    return f"live page: {address(settings)}"
