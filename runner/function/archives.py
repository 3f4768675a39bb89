"""Inspects archives before a pipeline opens them: a broken, unsafe or too large archive fails with its reason.

Nothing is unpacked. Of a zip its directory is read, of a plain tar its headers. Only a file that is compressed as one
stream (.tar.gz, .gz) is read to its end, once, with little memory. Archives inside an archive are not opened.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from runner.errors import ArchiveError
from runner.function.archive_limits import ArchiveCheck, ArchiveLimits

_MIB = 1 << 20
# In memory are one header of a tar at a time, with its long name, and the directory of a zip.
_MAX_TAR_HEADER_BYTES = _MIB
_MAX_ZIP_COMMENT_BYTES = 65_600
_DIRECTORY_BYTES_PER_ENTRY = 1024
# An xz file states how much memory it needs; the strongest preset needs 65 MiB.
_MAX_XZ_MEMORY_BYTES = 256 * _MIB
_ZIP_MODE_BITS = 16
_ZIP_ENCRYPTED = 1
_MAGIC = {b"PK\3\4": "zip", b"PK\5\6": "zip", b"\x1f\x8b\x08": "gz", b"BZh": "bz2", b"\xfd7zXZ\0": "xz"}
_SUFFIX = re.compile(r"\.(zip|tar|t?gz|t?bz2|t?xz)$", re.IGNORECASE)
_TAR_INSIDE = re.compile(r"\.(tar\.\w+|tgz|tbz2|txz)$", re.IGNORECASE)
# What the readers of the standard library raise for invalid content.
_BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError,
    NotImplementedError, OverflowError, RecursionError,
)  # fmt: skip


def check(path: Path, limits: ArchiveLimits) -> None:
    """Check that a file can be read safely; a file that is not an archive can.

    Raises:
        ArchiveError: the text says what is wrong with the archive, and what to do.
    """
    for kind in sorted(_kinds(path)):
        checked = ArchiveCheck(path.name, path.stat().st_size, limits)
        try:
            with path.open("rb") as file:
                _READERS[kind](file, checked)
        except _BROKEN as error:
            raise ArchiveError(
                f"{path.name} cannot be read as a {kind} archive ({error or type(error).__name__}). Its transfer may "
                "have stopped early: test it where it came from, and send it again."
            ) from error


def _kinds(path: Path) -> set[str]:
    """Return the kinds that a file has by its first bytes and by its name: a reader may use either."""
    with path.open("rb") as file:
        head = file.read(tarfile.BLOCKSIZE)
    kinds = {kind for magic, kind in _MAGIC.items() if head.startswith(magic)}
    if _begins_tar(head):
        kinds.add("tar")
    if named := _SUFFIX.search(path.name):
        if not head:
            raise ArchiveError(f"{path.name} is empty (0 bytes). Its transfer may have stopped early: send it again.")
        suffix = named[1].lower()
        kinds.add(suffix.removeprefix("t") if suffix in ("tgz", "tbz2", "txz") else suffix)
    return kinds


def _begins_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


class _BoundedFile:
    """A file for the standard library's readers that refuses to read more than `limit_bytes` at once."""

    def __init__(
        self, file: IO[bytes], limit_bytes: int, on_position: Callable[[int], None], *, skip_by_reading: bool = False
    ) -> None:
        self._file, self._limit_bytes = file, limit_bytes
        self._on_position, self._by_reading = on_position, skip_by_reading
        self.tell = file.tell
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        """Read, and keep the result in `last`."""
        if size > self._limit_bytes:
            raise ValueError(f"it asks for {size} bytes of names at once")
        self.last = self._file.read(size)
        return self.last

    def seek(self, position: int, whence: int = 0) -> int:
        """Move to a position; with `skip_by_reading` read up to it, and report each position that is reached."""
        while self._by_reading and position > self._file.tell():
            if not self._file.read(min(position - self._file.tell(), _MIB)):
                break
            self._on_position(self._file.tell())
        return self._file.seek(position, whence)


def _check_zip(file: IO[bytes], checked: ArchiveCheck) -> None:
    limit_bytes = _MAX_ZIP_COMMENT_BYTES + checked.limits.entries * _DIRECTORY_BYTES_PER_ENTRY
    bounded: Any = _BoundedFile(file, limit_bytes, checked.check_unpacked)
    with zipfile.ZipFile(bounded) as archive:
        for info in archive.infolist():
            encrypted = bool(info.flag_bits & _ZIP_ENCRYPTED)
            checked.add_entry(
                info.filename, info.file_size, mode=info.external_attr >> _ZIP_MODE_BITS, encrypted=encrypted
            )
            if not 0 <= info.header_offset <= archive.start_dir - info.compress_size:
                raise zipfile.BadZipFile(f"{info.filename!r} is incomplete")


def _check_tar(file: IO[bytes], checked: ArchiveCheck, *, skip_by_reading: bool = False) -> None:
    bounded: Any = _BoundedFile(file, _MAX_TAR_HEADER_BYTES, checked.check_unpacked, skip_by_reading=skip_by_reading)
    with tarfile.TarFile(fileobj=bounded) as archive:
        while info := archive.next():
            checked.add_entry(info.name, info.size, mode=_tar_mode(info))
            archive.members.clear()  # type: ignore[attr-defined]  # otherwise it keeps all headers
        if bounded.last != bytes(tarfile.BLOCKSIZE):  # tarfile ignores a truncated header
            raise tarfile.ReadError("it stops before its end-of-archive block")


def _tar_mode(info: tarfile.TarInfo) -> int:
    if info.issym() or info.islnk():
        return stat.S_IFLNK
    return stat.S_IFREG if info.isreg() else stat.S_IFDIR if info.isdir() else stat.S_IFIFO


def _check_gz(file: IO[bytes], checked: ArchiveCheck) -> None:
    with gzip.open(file) as opened:
        _check_compressed(opened, checked)


def _check_bz2(file: IO[bytes], checked: ArchiveCheck) -> None:
    with bz2.open(file) as opened:
        _check_compressed(opened, checked)


def _check_xz(file: IO[bytes], checked: ArchiveCheck) -> None:
    lzma.LZMADecompressor(memlimit=_MAX_XZ_MEMORY_BYTES).decompress(file.read(tarfile.BLOCKSIZE), 1)
    file.seek(0)
    with lzma.open(file) as opened:
        _check_compressed(opened, checked)


def _check_compressed(opened: Any, checked: ArchiveCheck) -> None:
    """Read the file to its end, where its checksum is."""
    head = opened.read(tarfile.BLOCKSIZE)
    opened.seek(0)
    if _TAR_INSIDE.search(checked.name) or _begins_tar(head):
        _check_tar(opened, checked, skip_by_reading=True)
    while opened.read(_MIB):
        checked.check_unpacked(opened.tell())


_READERS: dict[str, Callable[[IO[bytes], ArchiveCheck], None]] = {
    "zip": _check_zip, "tar": _check_tar, "gz": _check_gz, "bz2": _check_bz2, "xz": _check_xz,
}  # fmt: skip
