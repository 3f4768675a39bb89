"""Options that several commands share, and the settings that they lead to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from runner.settings import EmulatorName, Settings

Data = Annotated[
    Path | None,
    typer.Option("--data", help="Folder with inbox/, outputs/ and state/. [default: data]", show_default=False),
]
Aws = Annotated[bool, typer.Option("--aws", help="Let the pipelines reach AWS, with your credentials.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Concurrency = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Lambda emulators in parallel. [default: one per core]", show_default=False),
]

Emulator = Annotated[
    EmulatorName | None,
    typer.Option(
        "--emulator", help="What plays S3 and SQS. [default: ministack; localstack with Docker]", show_default=False
    ),
]


def chosen(data: Path | None = None, concurrency: int | None = None, emulator: EmulatorName | None = None) -> Settings:
    """Return the settings of the environment, overridden by the options that were given."""
    settings = Settings.from_env()
    if emulator:
        settings = replace(settings, emulator=emulator)
    if data:
        settings = replace(settings, data=data.absolute())
    return replace(settings, concurrency=concurrency) if concurrency else settings


def _require_regular(files: list[Path]) -> list[Path]:
    for path in files:
        if not path.is_file():
            raise typer.BadParameter(f"{path} is not a regular file. Write its contents to one first.")
    return files


Files = Annotated[
    list[Path],
    typer.Argument(help="Raw instrument files.", exists=True, dir_okay=False, readable=True, callback=_require_regular),
]


def utc(text: str) -> datetime:
    """Parse a time such as 2020-12-01 or 2020-12-01T06:00; without an offset it is in UTC.

    Raises:
        typer.BadParameter: it is not a time.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time. Write 2020-12-01 or 2020-12-01T06:00, in UTC.") from None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


Time = Annotated[
    datetime | None,
    typer.Option(parser=utc, metavar="TIME", show_default=False, help="2020-12-01 or 2020-12-01T06:00, in UTC."),
]
