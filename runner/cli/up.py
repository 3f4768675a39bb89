"""`runner up`: start the stack and keep it running until Ctrl-C."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Annotated

import typer

from runner.cli.interrupt import stop_on_signals
from runner.cli.options import Concurrency, Data, Emulator, chosen
from runner.cli.output import say
from runner.errors import StoppedError
from runner.settings import DEFAULT_PORT, DEFAULT_WEB_PORT, Settings
from runner.stack import debugger

Port = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65535,
        metavar="PORT",
        help=f"Port of S3, SQS and STS; 0 is any free one. [default: {DEFAULT_PORT}]",
        show_default=False,
    ),
]
WebPort = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=65535,
        metavar="PORT",
        help=f"Port of the live page. [default: {DEFAULT_WEB_PORT}, or a free one if that is in use]",
        show_default=False,
    ),
]
Settle = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="SECONDS",
        help="Time without a change until an open file is complete. [default: 1]",
        show_default=False,
    ),
]


def up(
    docker: Annotated[
        bool | None, typer.Option("--docker/--embedded", help="[default: Docker if an engine runs]", show_default=False)
    ] = None,
    port: Port = None,
    emulator: Emulator = None,
    concurrency: Concurrency = None,
    data: Data = None,
    settle: Settle = None,
    polling: Annotated[
        bool | None,
        typer.Option("--polling/--no-polling", help="Poll the inbox, for network mounts.", show_default=False),
    ] = None,
    retain: Annotated[
        bool | None,
        typer.Option("--retain/--no-retain", help="Keep inbox files after success. [default: retain]",
                     show_default=False),
    ] = None,
    web_port: WebPort = None,
    web: Annotated[
        bool | None,
        typer.Option("--web/--no-web", help="Serve the live page. [default: web]", show_default=False),
    ] = None,
    debug: Annotated[
        bool | None, typer.Option("--debug/--no-debug", help="One Lambda, with a debugger.", show_default=False)
    ] = None,
) -> None:  # fmt: skip
    """Start the stack and process files in `data/inbox`.

    Ctrl-C stops it. With `--docker` the pipelines run in the image that is deployed, under its limits. `--embedded`
    needs only Python.

    Example: `runner up --embedded --settle 30`, for instruments that append to a file and pause.

    Example: `runner up --port 0 --data data/second`, beside another stack.

    An option overrides its environment variable: docs/settings.md.
    """
    settings = with_options(
        chosen(data, concurrency, emulator), port, settle, polling=polling, retain=retain, debug=debug,
        web_port=web_port, web=web,
    )  # fmt: skip
    keep_running(settings, with_docker=docker)


def with_options(
    settings: Settings, port: int | None = None, settle_s: float | None = None, *,
    polling: bool | None = None, retain: bool | None = None, debug: bool | None = None, web_port: int | None = None,
    web: bool | None = None,
) -> Settings:  # fmt: skip
    """Return the settings, overridden by each option that is not None.

    Args:
        settings: the environment's.
        port: 0 leaves the choice to the stack.
    """
    endpoint_url = settings.endpoint_url or f"http://127.0.0.1:{DEFAULT_PORT}"
    if port is not None:
        endpoint_url = f"http://127.0.0.1:{port}"
    return replace(
        settings,
        endpoint_url=None if port == 0 else endpoint_url,
        settle_s=settings.settle_s if settle_s is None else settle_s,
        polling=settings.polling if polling is None else polling,
        retain=settings.retain if retain is None else retain,
        debug=settings.debug if debug is None else debug,
        web_port=web_port or settings.web_port,
        has_page=settings.has_page if web is None else web,
    )


def keep_running(settings: Settings, *, with_docker: bool | None) -> None:
    """Run the stack until a signal stops it.

    Args:
        settings: of this command.
        with_docker: None chooses Docker if it can be used.
    """
    from runner.stack import docker_compose, embedded

    stop, began = stop_on_signals(), time.monotonic()
    running = docker_compose.running if _use_docker(with_docker) else embedded.running
    try:
        with running(settings, say, stop) as stack:
            say(
                f"ready in {time.monotonic() - began:.1f} s: S3 and SQS at {stack.endpoint_url}\n"
                f"  drop files into  {settings.inbox}\n  outputs go to    {settings.outputs}\n"
                "  Ctrl-C stops the stack. In another terminal, `runner status` and `runner logs` show each file's "
                "outcome" + debugger.hint(settings)
            )
            while True:
                stack.maintain()
                stop.pause(0.1)
    except StoppedError as stopped:
        say(str(stopped))


def _use_docker(wanted: bool | None) -> bool:
    """Return whether to use Docker, and print why."""
    from runner.stack import docker_engine

    if wanted is not None:
        say("with Docker, as requested …" if wanted else "without Docker, as requested …")
        return wanted
    reason = docker_engine.unavailable_reason()
    if reason:
        say(f"without Docker, because {reason}")
    else:
        say("with Docker, because an engine runs (use --embedded to run without); images are built if they changed …")
    return reason is None
