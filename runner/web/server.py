"""`python -m runner page`: the process that serves the live page."""

from __future__ import annotations

import argparse
import logging
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from runner.errors import RunnerError, SettingsError
from runner.services.owner import become_owner
from runner.settings import Settings

NAME = "page"
_BACKLOG = 128


def main(arguments: Sequence[str]) -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog=f"runner {NAME}", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--shown-root", type=Path, help="path of the project that the page shows, outside a container")
    parser.add_argument("--shown-data", type=Path, help="path of the data folder that the page shows")
    parser.add_argument("--become-owner", action="store_true", help="switch to the user who owns the data folder")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    try:
        settings = Settings.from_env()
        if options.become_owner:
            become_owner(settings.data)
        serve(settings, options.host, options.shown_root, options.shown_data)
    except (RunnerError, OSError) as error:
        sys.exit(f"error: {error}")


def serve(settings: Settings, host: str, shown_root: Path | None = None, shown_data: Path | None = None) -> None:
    """Serve the page until a signal."""
    from runner.web.app import create

    listener = listening(host, settings.web_port or 0)
    config = uvicorn.Config(
        create(settings, shown_root, shown_data), log_level="warning", access_log=False, ws="none",
        timeout_graceful_shutdown=1, server_header=False, proxy_headers=False,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listener])


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        SettingsError: the port is in use.
    """
    try:
        return socket.create_server((host, port), backlog=_BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"The live page cannot listen on {host}:{port}: {error.strerror}. Choose another port: --web-port 8781."
        ) from error
