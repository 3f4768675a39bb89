"""Files that no pipeline can read, made from the shipped samples, and a check that each is broken as intended."""

from __future__ import annotations

import gzip
import io
import os
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
"""The file that archives with unsafe paths would write."""
ENTRY = "fine.csv"
_ELSEWHERE = "/etc/passwd"


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


def harmless_archives() -> dict[str, bytes]:
    """Return a valid archive of each kind, with one entry."""
    return {"zip": _zip({ENTRY: b"fine"}), "tar": _tar({ENTRY: b"fine"})}


def _flipped(content: bytes) -> bytes:
    half = len(content) // 2
    return content[:half] + bytes(byte ^ 0xFF for byte in content[half : half + 64]) + content[half + 64 :]


def _without_end(content: bytes) -> bytes:
    """Return a text whose last line is cut in the middle."""
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


def _leads_to(name: str) -> Path:
    """Return the path that an entry's name leads to from a temporary folder."""
    return Path(os.path.normpath(Path("/tmp/run/folder", name)))


def _zip_content(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(archive.namelist()[0])


_CSV = "buoy.z05.00.20210101.000000.wind.csv"
_BUOY_KEY = "a2e_buoy_ingest/humboldt/bad/buoy.z05.00.2021"
_TIDE_KEY = "tide_gauge/mcrl/bad/tide_2021"

# Key, content, and a check that the content is broken as intended.
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
        lambda c: [_leads_to(member.filename) for member in _zip_members(c)] == [OUTSIDE],
    ),
    "absolute path": (
        f"{_BUOY_KEY}0111.000000.tar", lambda: _tar({str(OUTSIDE): _wind()}),
        lambda c: [_leads_to(member.name) for member in _tar_members(c)] == [OUTSIDE],
    ),
    "link in a tar": (
        f"{_BUOY_KEY}0112.000000.tar", lambda: _tar({_CSV: _ELSEWHERE.encode()}, tarfile.SYMTYPE),
        lambda c: [(member.issym(), member.linkname) for member in _tar_members(c)] == [(True, _ELSEWHERE)],
    ),
    "link in a zip": (
        f"{_BUOY_KEY}0113.000000.zip", lambda: _zip({_CSV: _ELSEWHERE.encode()}, stat.S_IFLNK | 0o777),
        lambda c: stat.S_ISLNK(_zip_members(c)[0].external_attr >> 16) and _zip_content(c) == _ELSEWHERE.encode(),
    ),
    "100,000 entries": (
        f"{_BUOY_KEY}0114.000000.zip", lambda: _zip({f"{number}.wind.csv": b"" for number in range(_MANY)}),
        lambda c: len(_zip_members(c)) == _MANY,
    ),
}  # fmt: skip
UNSAFE = (
    "zip bomb", "tar.gz bomb", "path out of the folder", "absolute path", "link in a tar", "link in a zip",
    "100,000 entries",
)  # fmt: skip
"""Archives that do harm when they are unpacked."""

_CUT = "Its transfer may have stopped early: send it again."
_CUT_ARCHIVE = "Its transfer may have stopped early: test it where it came from, and send it again."
_BOMB = (
    "unpacks to more than 200 times its size, as a zip bomb does (ARCHIVE_MAX_RATIO in template.yaml). "
    "Find out where it comes from, or raise that value."
)
_LINK = (
    "holds a link, 'buoy.z05.00.20210101.000000.wind.csv'. It was refused; create it again with the file itself in its "
    "place (tar --dereference --hard-dereference)."
)
# The error of each, after its name.
REASONS = {
    "empty zip": f"is empty (0 bytes). {_CUT}",
    "empty csv": f"is empty (0 bytes). {_CUT}",
    "empty log": f"is empty. {_CUT}",
    "corrupt zip": "cannot be read as the archive its name indicates (Bad CRC-32 for file "
    f"'buoy.z05.00.20201201.000000.currents.csv'). {_CUT_ARCHIVE}",
    "cut zip": f"cannot be read as a zip archive (File is not a zip file). {_CUT_ARCHIVE}",
    "cut tar.gz": "cannot be read as a gz archive (Compressed file ended before the end-of-stream marker was reached). "
    + _CUT_ARCHIVE,
    "torn csv": f"stops in the middle of line 145, after '2020-12-01 23:5'. {_CUT}",
    "torn log": "line 123 has 3 values for 6 columns: '42120   1.982  0'.",
    "utf-16 csv": "is not UTF-8 text: line 1 contains the byte 0xff. A spreadsheet may have saved it in another "
    "encoding: save it as 'CSV UTF-8', or send the instrument's original file.",
    "utf-16 log": "does not begin with the line 'TIDE GAUGE LOG 1' but with "
    "'��T\\x00I\\x00D\\x00E\\x00 \\x00G\\x00A\\x00U\\x00G\\x00E\\x00 \\x00L\\x00O\\x00G\\x00 \\x001\\x00'. "
    "Is it a file from another gauge, or not plain text?",
    "zip bomb": _BOMB,
    "tar.gz bomb": _BOMB,
    "path out of the folder": "holds a path that leads out of its folder, "
    f"'{'../' * 12}tmp/tsdat-local-outside.wind.csv'. It was refused; create it again without '..' in its names.",
    "absolute path": "holds an absolute path, '/tmp/tsdat-local-outside.wind.csv'. It was refused; create it again "
    "with paths relative to its folder.",
    "link in a tar": _LINK,
    "link in a zip": _LINK,
    "100,000 entries": "has more than 10000 entries (ARCHIVE_MAX_ENTRIES in template.yaml). Split it, or raise that "
    "value.",
}
