"""The commands that only the stack itself and scripts/ call; `--help` does not show them."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from runner.settings import Settings

app = typer.Typer()

ReadyFile = Annotated[
    Optional[Path],  # noqa: UP045  Typer reads this at run time
    typer.Option(help="Written when it is ready for files; may be /dev/fd/N, the writing end of a pipe."),
]
BecomeOwner = Annotated[bool, typer.Option("--become-owner", help="Go on as the user who owns the data folder.")]


def _log_to_terminal() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    logging.getLogger("botocore").setLevel(logging.WARNING)


@app.command(hidden=True)
def provision(become_owner: BecomeOwner = False, ready_file: ReadyFile = None) -> None:
    """The process that makes buckets and queues, again whenever they are lost."""
    from runner.services import entrypoints

    _log_to_terminal()
    if become_owner:
        entrypoints.become_owner(Settings.from_env().data)
    entrypoints.provision(Settings.from_env(), ready_file)


@app.command(hidden=True)
def prepare_lambda(folder: Path, tmp_mb: Annotated[str, typer.Option(help="What compose.yaml gives /tmp.")]) -> None:
    """The process that writes for the Lambda's container what template.yaml says, and ends."""
    from runner.stack import docker_compose
    from runner.template import stack_template

    docker_compose.prepare(stack_template.load(Settings.from_env().root / "template.yaml"), folder, tmp_mb)


@app.command(hidden=True)
def watch(become_owner: BecomeOwner = False, ready_file: ReadyFile = None) -> None:
    """The watcher's process."""
    from runner.services import entrypoints

    _log_to_terminal()
    if become_owner:
        entrypoints.become_owner(Settings.from_env().data)
    entrypoints.watch(Settings.from_env(), ready_file)


@app.command(hidden=True)
def poll(
    lambda_url: Annotated[list[str], typer.Option()],
    become_owner: BecomeOwner = False,
    ready_file: ReadyFile = None,
    announce: Annotated[str, typer.Option(help="Keep other stacks off the data folder, and note this endpoint.")] = "",
) -> None:
    """The poller's process."""
    from runner.services import entrypoints

    _log_to_terminal()
    if become_owner:
        entrypoints.become_owner(Settings.from_env().data)
    entrypoints.poll(Settings.from_env(), lambda_url, ready_file, announce)


@app.command(
    hidden=True,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def sam(context: typer.Context) -> None:
    """What scripts/sam does for `build` and `local`."""
    from runner.cli.deploy import sam as tool

    tool.run(Settings.from_env(), context.args)


Environment = Annotated[str, typer.Argument(help="An environment of samconfig.toml.")]
ConfigFile = Annotated[
    Path, typer.Option(help="Another samconfig.toml.", exists=True, dir_okay=False, resolve_path=True)
]


@app.command(hidden=True, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def deploy(
    context: typer.Context, environment: Environment = "default", config_file: ConfigFile = Path("samconfig.toml")
) -> None:
    """Validate, build and deploy to AWS, with an environment of samconfig.toml. Other options go to `sam deploy`.

    `scripts/deploy dev` for the environment dev; `scripts/deploy prod --no-confirm-changeset` asks nothing.
    """
    from runner.cli.deploy import stacks

    sys.exit(stacks.deploy(Settings.from_env(), environment, config_file, context.args))


@app.command(hidden=True)
def undeploy(
    environment: Environment = "default",
    data: Annotated[
        Optional[bool],  # noqa: UP045
        typer.Option("--delete-data/--keep-data", help="[default: asks]", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask for no confirmation.")] = False,
    config_file: ConfigFile = Path("samconfig.toml"),
) -> None:
    """Take the stack of an environment down; shows what is in its buckets and asks whether to keep or to delete it.

    `scripts/undeploy dev` asks everything; `scripts/undeploy dev --delete-data --yes` asks nothing, and all is gone.
    """
    from runner.cli.deploy import stacks

    sys.exit(stacks.undeploy(Settings.from_env(), environment, config_file, delete_data=data, sure=yes))
