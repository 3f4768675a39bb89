"""Read selected members of a zip or tar archive into memory. Nothing is unpacked to disk."""

import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, cast

TAR_SUFFIXES = (".tar", ".tar.gz")
# zipfile raises RuntimeError for an encrypted member and NotImplementedError for an unsupported compression method.
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
    """Return the content of the wanted members of an archive, or of a single file.

    Args:
        path: A .zip, .tar or .tar.gz archive. Any other file is treated as an archive with itself as the only member.
        wanted: Return True for the name of a member to read. Not called for macOS metadata entries.

    Returns:
        The content of each wanted member, keyed by its name. A name is only a label and is never used as a path.

    Raises:
        ValueError: The file is empty, or is not a readable archive of the type its name indicates.
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
            f"{path.name} cannot be read as the archive its name indicates ({error}). "
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
    """Raise unless iteration stopped at a block of zeros. At a damaged header, tarfile stops without an error."""
    file = cast(IO[bytes], archive.fileobj)
    file.seek(archive.offset)
    if not file.read().startswith(bytes(tarfile.BLOCKSIZE)):  # reads to the end, where gzip verifies its checksum
        raise tarfile.ReadError("it stops before its end-of-archive block")


def _is_macos(name: str) -> bool:
    """Return whether a member is macOS metadata: `__MACOSX/._name` in a zip, or `._name` next to `name` in a tar."""
    path = PurePosixPath(name)
    return "__MACOSX" in path.parts or path.name.startswith("._")
