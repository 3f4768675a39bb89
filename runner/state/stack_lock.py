"""Allow one stack, of either backend, on a data folder, and announce where it listens."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator

from runner.aws.clients import in_compose_network
from runner.errors import SettingsError, StackError
from runner.settings import Settings


@contextlib.contextmanager
def only_one(settings: Settings) -> Iterator[None]:
    """Keep a second stack off the data folder for as long as the body runs.

    Raises:
        StackError: one runs there already.
        SettingsError: the data folder cannot be created.
    """
    prepare_data(settings)
    with (settings.state / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StackError(
                f"A stack already runs on {settings.data}. Use it, stop it, or give this one a folder: --data DIR."
            ) from error
        yield


def prepare_data(settings: Settings) -> None:
    """Create the data folder, and keep it out of Git without a change to the project's own .gitignore.

    Raises:
        SettingsError: it cannot be created.
    """
    file = settings.data / ".gitignore"
    try:
        settings.state.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.write_text("/inbox/\n/outputs/\n/state/\n/demo/\n/.gitignore\n", encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"The data folder {settings.data} cannot be used: {error}. Name another one with --data DIR or RUNNER_DATA."
        ) from error


@contextlib.contextmanager
def announced(settings: Settings, endpoint_url: str) -> Iterator[None]:
    """Announce where S3 and SQS listen, for as long as the body runs."""
    note = settings.state / "stack.json"
    note.write_text(json.dumps({"endpoint_url": endpoint_url, "pid": os.getpid()}))
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def running_at(settings: Settings) -> str | None:
    """The endpoint of the stack that runs on the data folder and is ready; None when there is none.

    In the compose network the announced address, which is the host's, leads nowhere; the settings have the right one.
    """
    note = settings.state / "stack.json"
    try:
        with only_one(settings):
            return None
    except StackError:
        if not note.exists():
            return None
        if in_compose_network(settings.endpoint_url):
            return settings.endpoint_url
        return str(json.loads(note.read_text())["endpoint_url"])


def require_running(settings: Settings) -> str:
    """The endpoint of the stack that runs on the data folder.

    Raises:
        StackError: none does.
    """
    endpoint_url = running_at(settings)
    if endpoint_url is None:
        raise StackError(
            f"No stack runs on {settings.data}. Start one with `runner up`, or name its folder: --data DIR."
        )
    return endpoint_url
