"""`python -m runner poll|watch|provision`: the processes of a stack, without the command line and its imports."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from runner.errors import RunnerError
from runner.services.owner import become_owner
from runner.settings import Settings

NAMES = ("poll", "watch", "provision")


def main(arguments: Sequence[str]) -> None:
    """Run one process until SIGTERM."""
    options = _parse(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    logging.getLogger("botocore").setLevel(logging.WARNING)
    try:
        _run(options)
    except (RunnerError, OSError) as error:
        sys.exit(f"error: {error}")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--become-owner", action="store_true", help="switch to the user who owns the data folder")
    common.add_argument("--ready-file", type=Path, help="written when ready; may be /dev/fd/N, the write end of a pipe")
    parser = argparse.ArgumentParser(prog="runner", description=__doc__)
    names = parser.add_subparsers(dest="name", required=True)
    names.add_parser("watch", parents=[common], help="upload complete files of the inbox")
    names.add_parser("provision", parents=[common], help="create buckets and queues whenever they are lost")
    poll = names.add_parser("poll", parents=[common], help="receive from the queue and invoke the Lambdas")
    poll.add_argument("--lambda-url", action="append", required=True, help="of an emulator; repeatable")
    poll.add_argument("--tmp", type=Path, help="a folder on the disk that the Lambdas' /tmp shares with others")
    poll.add_argument("--announce", default="", help="lock the data folder, and publish this endpoint in it")
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace) -> None:
    from runner.services import entrypoints

    settings = Settings.from_env()
    if options.become_owner:
        become_owner(settings.data)
    if options.name == "poll":
        entrypoints.poll(settings, options.lambda_url, options.ready_file, options.announce, options.tmp)
    else:
        run = entrypoints.watch if options.name == "watch" else entrypoints.provision
        run(settings, options.ready_file)
