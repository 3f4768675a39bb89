"""What several commands of the command line have in common."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
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


def utc(text: str) -> datetime:
    """A time as people write it, 2020-12-01 or 2020-12-01T06:00, in UTC unless it says otherwise.

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time. Write 2020-12-01 or 2020-12-01T06:00, in UTC.") from None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


Time = Annotated[
    Optional[datetime],  # noqa: UP045  Typer reads this at run time
    typer.Option(parser=utc, metavar="TIME", show_default=False, help="2020-12-01 or 2020-12-01T06:00, in UTC."),
]
