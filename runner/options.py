"""What several commands of the command line have in common."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Optional

import typer

from runner.settings import Settings

Data = Annotated[
    Optional[Path],  # noqa: UP045  Typer reads this at run time
    typer.Option("--data", help="Folder that holds inbox/, outputs/ and state/. [default: data]", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


def chosen(data: Path | None = None, concurrency: int | None = None) -> Settings:
    """The settings of the environment, changed by what the command line says."""
    settings = Settings.from_env()
    if data:
        settings = replace(settings, data=data.absolute())
    return replace(settings, concurrency=concurrency) if concurrency else settings
