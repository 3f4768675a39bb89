"""`runner add`: add packages to a project's requirements.txt, and install them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from runner.cli.options import chosen
from runner.cli.output import results, say
from runner.errors import PackagesError
from runner.packages import install, lock
from runner.packages.requirements import NAME, parse, read


def add(
    packages: Annotated[list[str], typer.Argument(help="Names on PyPI, perhaps with versions and extras.")],
) -> None:
    """Add packages to the project's `requirements.txt`.

    They are resolved against tsdat-local's own packages into `requirements.lock`, and installed. The next stack and the
    next image have them. Commit both files. If a package does not fit, nothing changes.

    Example: `runner add cmocean "gsw>=3.6" "mhkit[dolfyn]"`
    """
    settings = chosen()
    file = settings.root / NAME
    before = file.read_text(encoding="utf-8") if file.exists() else None
    text = before or ""
    for package in packages:
        text = with_line(text, package)
    try:
        _write(file, text)
        read(file)
        folder = install.prepare(settings, Path(sys.executable), say)
    except BaseException:
        file.unlink() if before is None else _write(file, before)
        raise
    what = f"{install.size(folder) / 1e6:.0f} MB in all, in {lock.LOCK}" if folder else "it is one of tsdat-local's own"
    results.print(f"✔ {', '.join(packages)}: {what}", markup=False, style="green")


def with_line(text: str, package: str) -> str:
    """Return the text of requirements.txt with a package's line added, or replaced if it has another version.

    Raises:
        PackagesError: it is not a requirement.
    """
    wanted = parse(package, package)
    lines = text.splitlines()
    for number, line in enumerate(lines):
        bare, comment = re.fullmatch(r"(.*?)(\s*(?:(?:^|\s)#.*)?)", line).groups()  # type: ignore[union-attr]
        try:
            known = parse(bare, "")
        except PackagesError:  # an empty line or an option
            continue
        if known.name == wanted.name:
            is_plain = not wanted.requirement.specifier and not wanted.requirement.extras
            lines[number] = line if is_plain else f"{package}{comment}"
            break
    else:
        lines.append(package)
    return "\n".join(lines) + "\n"


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise PackagesError(f"{file} cannot be written: {error}.") from error
