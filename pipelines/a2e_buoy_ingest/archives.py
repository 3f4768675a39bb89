"""Takes the wanted members out of a zip or tar archive, in memory: nothing is unpacked to disk."""

import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, cast

TAR_SUFFIXES = (".tar", ".tar.gz")
# RuntimeError: an encrypted member. NotImplementedError: a compression that zipfile lacks.
BROKEN_ARCHIVE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,
    NotImplementedError,
)


def read_members(path: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """Reads a file that is an archive, or is its own only member.

    Args:
        path: A .zip, .tar or .tar.gz archive; any other file counts as its own only member.
        wanted: Tells by a member's name whether to read it. macOS's own entries are never asked about.

    Returns:
        The content of each wanted member, by its name. Names are labels only: they never become paths.

    Raises:
        ValueError: The file is empty, or is not the archive that its name says.
    """
    if path.stat().st_size == 0:
        raise ValueError(f"{path.name} is empty (0 bytes). Its transfer may have stopped early: send it again.")
    try:
        if path.name.endswith(".zip"):
            return _read_zip(path, wanted)
        if path.name.endswith(TAR_SUFFIXES):
            return _read_tar(path, wanted)
    except BROKEN_ARCHIVE as error:
        raise ValueError(
            f"{path.name} cannot be read as the archive that its name says ({error}). "
            "Its transfer may have stopped early: test it where it came from, and send it again."
        ) from error
    return {path.name: path.read_bytes()} if wanted(path.name) else {}


def _read_zip(path: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
        return {name: archive.read(name) for name in names if not _is_macos(name) and wanted(name)}


def _read_tar(path: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    members = {}
    with tarfile.open(path) as archive:
        for info in archive:
            if info.isfile() and not _is_macos(info.name) and wanted(info.name) and (file := archive.extractfile(info)):
                members[info.name] = file.read()
        _check_end(archive)
    return members


def _check_end(archive: tarfile.TarFile) -> None:
    """Fails unless iteration stopped at a block of zeros: at a torn header, tarfile stops without a word."""
    file = cast(IO[bytes], archive.fileobj)
    file.seek(archive.offset)
    if not file.read().startswith(bytes(tarfile.BLOCKSIZE)):  # to the end: there gzip compares its checksum
        raise tarfile.ReadError("it stops before its end-of-archive block")


def _is_macos(name: str) -> bool:
    """Finder's zip adds an AppleDouble twin `__MACOSX/._name` to each file; its tar adds `._name` beside it."""
    path = PurePosixPath(name)
    return "__MACOSX" in path.parts or path.name.startswith("._")
