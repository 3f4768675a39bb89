"""What is different while somebody debugs: one Lambda, which waits at breakpoints, and time for it."""

from __future__ import annotations

from dataclasses import replace

from runner.settings import Settings


def prepared(settings: Settings) -> Settings:
    """The settings to go by: there is one port to attach to, so there is one Lambda."""
    return replace(settings, concurrency=1) if settings.debug else settings


def interpreter(settings: Settings) -> list[str]:
    """The arguments by which Python runs a module, under the debugger or not; it does not wait for one to attach."""
    if not settings.debug:
        return ["-m"]
    # The debugger cannot see into modules that are frozen into the interpreter, and says so at each start.
    return ["-Xfrozen_modules=off", "-m", "debugpy", "--listen", f"127.0.0.1:{settings.debug_port}", "-m"]


def hint(settings: Settings) -> str:
    """What to tell who wants to debug."""
    if not settings.debug:
        return ""
    at = f"127.0.0.1:{settings.debug_port}"
    return f'\n  a debugger can attach at {at} (VS Code: F5 on "Attach: Lambda"; others: docs/debugging.md)'
