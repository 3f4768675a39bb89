"""What changes when a debugger can attach: one Lambda, started under debugpy."""

from __future__ import annotations

from dataclasses import replace

from runner.settings import Settings


def with_one_lambda(settings: Settings) -> Settings:
    """Return the settings to run with. When debugging there is one Lambda, because there is one port to attach to."""
    return replace(settings, concurrency=1) if settings.debug else settings


def python_arguments(settings: Settings) -> list[str]:
    """Return Python's arguments up to the module's name. The debugger does not wait for a client."""
    if not settings.debug:
        return ["-m"]
    # debugpy cannot debug frozen modules and prints a warning at each start.
    return ["-Xfrozen_modules=off", "-m", "debugpy", "--listen", f"127.0.0.1:{settings.debug_port}", "-m"]


def hint(settings: Settings) -> str:
    """Return a line that says how to attach a debugger; empty when not debugging."""
    if not settings.debug:
        return ""
    at = f"127.0.0.1:{settings.debug_port}"
    return f'\n  attach a debugger to {at} (VS Code: F5 on "Attach: Lambda"; other editors: docs/debugging.md)'
