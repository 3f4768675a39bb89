"""Ctrl-C and other signals in commands that wait: they stop cleanly and exit with 130."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from runner.cli.output import say
from runner.errors import StoppedError
from runner.stack.supervisor import Stop

INTERRUPTED = 130


def stop_on_signals() -> Stop:
    """Return what a command checks while it waits, and set it on SIGINT, SIGTERM and SIGHUP."""
    return Stop(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def interruptible() -> Iterator[Stop]:
    """Exit with 130, after a line of explanation, if a signal stops the body."""
    try:
        yield stop_on_signals()
    except StoppedError as stopped:
        say(str(stopped))
        raise typer.Exit(INTERRUPTED) from None
