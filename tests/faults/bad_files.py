"""Files that no pipeline can read, made from the shipped samples, and how to tell of each that it is that bad."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

_SAMPLES = Path(__file__).resolve().parent.parent.parent / "data" / "samples"
_BUOY = next((_SAMPLES / "a2e_buoy_ingest" / "humboldt").glob("*.zip")).read_bytes()
_TIDE = next((_SAMPLES / "tide_gauge").glob("*/*.log")).read_bytes()
_BOMB_BYTES = 100 << 20
_MANY = 100_000
OUTSIDE = Path("/tmp/tsdat-local-outside.wind.csv")
"""Where the archives that lead out of their folder would write."""


def _wind() -> bytes:
    with zipfile.ZipFile(io.BytesIO(_BUOY)) as archive:
        return next(archive.read(name) for name in archive.namelist() if name.endswith(".wind.csv"))


def _zip(entries: Mapping[str, bytes], mode: int = stat.S_IFREG | 0o644) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in entries.items():
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return made.getvalue()


def _tar(entries: Mapping[str, bytes], kind: bytes = tarfile.REGTYPE) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in entries.items():
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind == tarfile.SYMTYPE:
                info.linkname = content.decode()
            else:
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def _flipped(content: bytes) -> bytes:
    half = len(content) // 2
    return content[:half] + bytes(byte ^ 0xFF for byte in content[half : half + 64]) + content[half + 64 :]


def _without_end(content: bytes) -> bytes:
    """A text whose last line stops in its middle."""
    last = content.rstrip().rfind(b"\n")
    return content[: last + (len(content.rstrip()) - last) // 2]


def _is_torn_zip(content: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.testzip() is not None
    except (zipfile.BadZipFile, zlib.error):
        return True


def _is_torn_tar_gz(content: bytes) -> bool:
    try:
        _tar_members(content)
        gzip.decompress(content)
    except (EOFError, tarfile.ReadError, zlib.error):
        return True
    return False


def _is_not_utf_8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return True
    return False


def _zip_members(content: bytes) -> list[zipfile.ZipInfo]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.infolist()


def _tar_members(content: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return archive.getmembers()


_CSV = "buoy.z05.00.20210101.000000.wind.csv"
_BUOY_KEY = "a2e_buoy_ingest/humboldt/bad/buoy.z05.00.2021"
_TIDE_KEY = "tide_gauge/mcrl/bad/tide_2021"

# Key, content, and what proves that the content is as bad as it should be.
BAD: dict[str, tuple[str, Callable[[], bytes], Callable[[bytes], object]]] = {
    "empty zip": (f"{_BUOY_KEY}0101.000000.zip", bytes, lambda c: c == b""),
    "empty csv": (f"{_BUOY_KEY}0102.000000.wind.csv", bytes, lambda c: c == b""),
    "empty log": (f"{_TIDE_KEY}0101000000.log", bytes, lambda c: c == b""),
    "corrupt zip": (f"{_BUOY_KEY}0103.000000.zip", lambda: _flipped(_BUOY), _is_torn_zip),
    "cut zip": (f"{_BUOY_KEY}0104.000000.zip", lambda: _BUOY[: len(_BUOY) // 2], _is_torn_zip),
    "cut tar.gz": (
        f"{_BUOY_KEY}0105.000000.tar.gz",
        lambda: (made := gzip.compress(_tar({_CSV: _wind()}), mtime=0))[: len(made) * 2 // 3],
        _is_torn_tar_gz,
    ),
    "torn csv": (
        f"{_BUOY_KEY}0106.000000.wind.csv", lambda: _without_end(_wind()),
        lambda c: c.splitlines()[-1].count(b",") < c.splitlines()[0].count(b","),
    ),
    "torn log": (f"{_TIDE_KEY}0201000000.log", lambda: _TIDE[: len(_TIDE) // 2], lambda c: c[-1:] != b"\n"),
    "utf-16 csv": (f"{_BUOY_KEY}0107.000000.wind.csv", lambda: _wind().decode().encode("utf-16"), _is_not_utf_8),
    "utf-16 log": (f"{_TIDE_KEY}0301000000.log", lambda: _TIDE.decode().encode("utf-16"), _is_not_utf_8),
    "zip bomb": (
        f"{_BUOY_KEY}0108.000000.zip", lambda: _zip({_CSV: bytes(_BOMB_BYTES)}),
        lambda c: len(c) * 200 < _zip_members(c)[0].file_size == _BOMB_BYTES,
    ),
    "tar.gz bomb": (
        f"{_BUOY_KEY}0109.000000.tar.gz", lambda: gzip.compress(_tar({_CSV: bytes(_BOMB_BYTES)}), 6, mtime=0),
        lambda c: len(c) * 200 < _BOMB_BYTES <= len(gzip.decompress(c)),
    ),
    "path out of the folder": (
        f"{_BUOY_KEY}0110.000000.zip", lambda: _zip({f"{'../' * 12}{OUTSIDE.relative_to('/')}": _wind()}),
        lambda c: _zip_members(c)[0].filename.startswith("../../"),
    ),
    "absolute path": (
        f"{_BUOY_KEY}0111.000000.tar", lambda: _tar({str(OUTSIDE): _wind()}),
        lambda c: [member.name for member in _tar_members(c)] == [str(OUTSIDE)],
    ),
    "link in a tar": (
        f"{_BUOY_KEY}0112.000000.tar", lambda: _tar({_CSV: b"/etc/passwd"}, tarfile.SYMTYPE),
        lambda c: _tar_members(c)[0].issym(),
    ),
    "link in a zip": (
        f"{_BUOY_KEY}0113.000000.zip", lambda: _zip({_CSV: b"/etc/passwd"}, stat.S_IFLNK | 0o777),
        lambda c: stat.S_ISLNK(_zip_members(c)[0].external_attr >> 16),
    ),
    "100,000 entries": (
        f"{_BUOY_KEY}0114.000000.zip", lambda: _zip({f"{number}.wind.csv": b"" for number in range(_MANY)}),
        lambda c: len(_zip_members(c)) == _MANY,
    ),
}  # fmt: skip
