"""The Lambdas and services of the embedded backend as child processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from runner.aws import clients
from runner.settings import Settings
from runner.stack import debugger, lambda_process, lambda_python
from runner.stack.child import Child
from runner.template.stack_template import StackTemplate

_RUNNER = (sys.executable, "-P", "-m", "runner")  # -P: a project may have a runner.py of its own


def lambdas(
    settings: Settings,
    endpoint_url: str,
    template: StackTemplate,
    lambda_addresses: Sequence[str],
    packages: Sequence[Path] = (),
) -> Iterator[Child]:
    """Yield one Lambda for each address."""
    arguments = debugger.python_arguments(settings)
    packages = [*packages, *([lambda_python.DEBUGGER] if settings.debug else [])]
    for number, address in enumerate(lambda_addresses, start=1):
        yield lambda_process.child(
            number, address, settings.root, settings.state, template, endpoint_url, arguments, packages
        )


def services(
    settings: Settings,
    endpoint_url: str,
    lambda_addresses: Sequence[str],
    ready_fd: int,
    *,
    quiet: bool,
    watch: bool,
) -> Iterator[Child]:
    """Yield the poller and the watcher.

    Args:
        ready_fd: the poller writes to this file descriptor when all Lambdas are warm.
        quiet: send their output to log files, not to the terminal.
        watch: include the watcher.
    """
    logs, env = settings.state / "logs", _environment(settings, endpoint_url)
    log = logs / "poller.log" if quiet else None
    urls = [f"--lambda-url=http://{address}" for address in lambda_addresses]
    poll = [*_RUNNER, "poll", f"--ready-file=/dev/fd/{ready_fd}", f"--tmp={settings.state}", *urls]
    yield Child("poller", poll, env, log=log, cwd=settings.root, pass_fds=(ready_fd,))
    if watch:
        log = logs / "watcher.log" if quiet else None
        yield Child("watcher", [*_RUNNER, "watch"], env, log=log, cwd=settings.root)


def page(settings: Settings, endpoint_url: str) -> Child:
    """Return the live page's server."""
    log = settings.state / "logs" / "page.log"
    argv = [*_RUNNER, "page"]
    return Child("page", argv, _environment(settings, endpoint_url), log=log, cwd=settings.root, niceness=5)


def _environment(settings: Settings, endpoint_url: str) -> dict[str, str]:
    terminal = {name: os.environ[name] for name in ("TERM", "NO_COLOR", "FORCE_COLOR") if name in os.environ}
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        **terminal,
        **clients.local_environment(endpoint_url),
        **settings.to_env(),
    }
