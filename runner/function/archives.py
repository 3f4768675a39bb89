"""Looks into archives before any pipeline does: what is broken, unsafe or too large fails with its reason.

Nothing is unpacked. A zip is judged by its directory, a plain tar by its headers; only what is compressed as a whole
(.tar.gz, .gz) is read through once, in little memory. Archives inside an archive are files like any other.
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
from runner.function.archive_limits import ArchiveLimits, Tally

_MIB = 1 << 20
# Of a tar, tarfile holds one header at a time in memory, a long name included; of a zip, zipfile holds the directory.
_LONGEST_TAR_HEADER = _MIB
_LONGEST_ZIP_COMMENT = 65_600
_DIRECTORY_BYTES_PER_ENTRY = 1024
# xz asks for memory as its file says; its strongest preset for 65 MiB.
_MOST_XZ_MEMORY = 256 * _MIB
_ZIP_MODE_BITS = 16
_ZIP_ENCRYPTED = 1
_MAGIC = {b"PK\3\4": "zip", b"PK\5\6": "zip", b"\x1f\x8b\x08": "gz", b"BZh": "bz2", b"\xfd7zXZ\0": "xz"}
_SUFFIX = re.compile(r"\.(zip|tar|t?gz|t?bz2|t?xz)$", re.IGNORECASE)
_TAR_INSIDE = re.compile(r"\.(tar\.\w+|tgz|tbz2|txz)$", re.IGNORECASE)
# What the readers of the standard library raise for content that is not what it should be.
_BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError,
    NotImplementedError, OverflowError, RecursionError,
)  # fmt: skip


def check(path: Path, limits: ArchiveLimits) -> None:
    """Let a file pass that is no archive, or one that can be read safely.

    Raises:
        ArchiveError: its text names the archive, what is wrong with it, and what to do.
    """
    for kind in sorted(_kinds(path)):
        tally = Tally(path.name, path.stat().st_size, limits)
        try:
            with path.open("rb") as file:
                _READERS[kind](file, tally)
        except _BROKEN as error:
            raise ArchiveError(
                f"{path.name} cannot be read as a {kind} archive ({error or type(error).__name__}). Its transfer may "
                "have stopped early: test it where it came from, and send it again."
            ) from error


def _kinds(path: Path) -> set[str]:
    """What a file is by its first bytes and what by its name: a reader may go by either."""
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


class _Bounded:
    """A file for the standard library's readers that gives no more at once than `longest` bytes."""

    def __init__(self, file: IO[bytes], longest: int, told: Callable[[int], None], *, skip_by_reading: bool = False):
        self._file, self._longest, self._told, self._by_reading = file, longest, told, skip_by_reading
        self.tell = file.tell
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        """Read on; also keeps what was read."""
        if size > self._longest:
            raise ValueError(f"it asks for {size} bytes of names at once")
        self.last = self._file.read(size)
        return self.last

    def seek(self, position: int, whence: int = 0) -> int:
        """Go there, and tell how far it is; forward by reading where the file is decompressed on the way."""
        while self._by_reading and position > self._file.tell():
            if not self._file.read(min(position - self._file.tell(), _MIB)):
                break
            self._told(self._file.tell())
        return self._file.seek(position, whence)


def _check_zip(file: IO[bytes], tally: Tally) -> None:
    longest = _LONGEST_ZIP_COMMENT + tally.limits.entries * _DIRECTORY_BYTES_PER_ENTRY
    bounded: Any = _Bounded(file, longest, tally.unpacked)
    with zipfile.ZipFile(bounded) as archive:
        for info in archive.infolist():
            encrypted = bool(info.flag_bits & _ZIP_ENCRYPTED)
            tally.entry(info.filename, info.file_size, mode=info.external_attr >> _ZIP_MODE_BITS, encrypted=encrypted)
            if not 0 <= info.header_offset <= archive.start_dir - info.compress_size:
                raise zipfile.BadZipFile(f"{info.filename!r} is not all there")


def _check_tar(file: IO[bytes], tally: Tally, *, skip_by_reading: bool = False) -> None:
    bounded: Any = _Bounded(file, _LONGEST_TAR_HEADER, tally.unpacked, skip_by_reading=skip_by_reading)
    with tarfile.TarFile(fileobj=bounded) as archive:
        while info := archive.next():
            tally.entry(info.name, info.size, mode=_tar_mode(info))
            archive.members.clear()  # type: ignore[attr-defined]  # it would keep them all
        if bounded.last != bytes(tarfile.BLOCKSIZE):  # at a torn header tarfile stops without a word
            raise tarfile.ReadError("it stops before its end-of-archive block")


def _tar_mode(info: tarfile.TarInfo) -> int:
    if info.issym() or info.islnk():
        return stat.S_IFLNK
    return stat.S_IFREG if info.isreg() else stat.S_IFDIR if info.isdir() else stat.S_IFIFO


def _check_gz(file: IO[bytes], tally: Tally) -> None:
    with gzip.open(file) as opened:
        _check_compressed(opened, tally)


def _check_bz2(file: IO[bytes], tally: Tally) -> None:
    with bz2.open(file) as opened:
        _check_compressed(opened, tally)


def _check_xz(file: IO[bytes], tally: Tally) -> None:
    lzma.LZMADecompressor(memlimit=_MOST_XZ_MEMORY).decompress(file.read(tarfile.BLOCKSIZE), 1)
    file.seek(0)
    with lzma.open(file) as opened:
        _check_compressed(opened, tally)


def _check_compressed(opened: Any, tally: Tally) -> None:
    """Read all of it: the checksum is compared at the very end."""
    head = opened.read(tarfile.BLOCKSIZE)
    opened.seek(0)
    if _TAR_INSIDE.search(tally.name) or _begins_tar(head):
        _check_tar(opened, tally, skip_by_reading=True)
    while opened.read(_MIB):
        tally.unpacked(opened.tell())


_READERS: dict[str, Callable[[IO[bytes], Tally], None]] = {
    "zip": _check_zip, "tar": _check_tar, "gz": _check_gz, "bz2": _check_bz2, "xz": _check_xz,
}  # fmt: skip
