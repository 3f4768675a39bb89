"""Which archives are refused, with which reason, which ones pass, and what the check costs."""

import os
import re
import stat
import tarfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import ArchiveError, SettingsError
from runner.function import archives
from runner.function.archive_limits import ArchiveLimits
from tests.support.bad_archives import MIB, PACKERS, encrypted, many, tarred, zipped

CSV = ("day/wind.csv", b"time,speed\n0,4.5\n" * 500)
ZIP, TAR = zipped(CSV, ("day/rh.csv", b"1")), tarred(CSV, ("day/rh.csv", b"1"))
DEFAULT = ArchiveLimits()
BROKEN = " Its transfer may have stopped early: test it where it came from, and send it again."


def reason(path: Path, content: bytes, limits: ArchiveLimits = DEFAULT) -> str:
    path.write_bytes(content)
    with pytest.raises(ArchiveError) as raised:
        archives.check(path, limits)
    return str(raised.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.zip", ZIP),
        ("a.xlsx", ZIP),
        ("a.tar", TAR),
        ("no suffix", TAR),
        *((f"a.tar.{kind}", pack(TAR)) for kind, pack in PACKERS.items()),
        *((f"a.csv.{kind}", pack(CSV[1])) for kind, pack in PACKERS.items()),
        ("a.tgz", PACKERS["gz"](TAR)),
        ("two members.gz", PACKERS["gz"](b"x") + PACKERS["gz"](b"y")),
        ("empty.zip", zipped()),
        ("a.csv", b""),
        ("a.nc", b"CDF\1" + bytes(2000)),
        ("unix.zip", zipped(CSV, mode=stat.S_IFREG | 0o644)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_good_archive_passes(name: str, content: bytes, tmp_path: Path):
    (tmp_path / name).write_bytes(content)
    archives.check(tmp_path / name, DEFAULT)


def test_an_archive_in_an_archive_is_a_file_like_any_other(tmp_path: Path):
    (tmp_path / "nested.zip").write_bytes(zipped(("inner.zip", bomb("bomb.zip"))))
    archives.check(tmp_path / "nested.zip", DEFAULT)


def escaping(name: str) -> str:
    return f"a path that leads out of its folder, '{name}'. It was refused; create it again without '..' in its names."


@pytest.mark.parametrize("name", ["../x.csv", "day/../../x.csv", "..", "..\\x.csv", "day\\..\\..\\x.csv"])
def test_traversal_is_refused(name: str, tmp_path: Path):
    expected = f"holds {escaping(name)}".replace("\\", "\\\\")
    assert reason(tmp_path / "a.zip", zipped(CSV, (name, b"x"))) == f"a.zip {expected}"
    assert reason(tmp_path / "a.tar", tarred(CSV, (name, b"x"))) == f"a.tar {expected}"
    assert reason(tmp_path / "a.tgz", PACKERS["gz"](tarred(CSV, (name, b"x")))) == f"a.tgz {expected}"
    long = "d/" * 200 + name  # a name that tar keeps in a header of its own
    assert "leads out of its folder" in reason(tmp_path / "b.tar", tarred(CSV, (long, b"x")))


@pytest.mark.parametrize("name", ["/etc/x", "\\x", "C:\\x.csv"])
def test_absolute_paths_are_refused(name: str, tmp_path: Path):
    expected = f"holds an absolute path, {name!r}. It was refused; create it again with paths relative to its folder."
    assert reason(tmp_path / "a.zip", zipped(CSV, (name, b"x"))) == f"a.zip {expected}"
    assert reason(tmp_path / "a.tar", tarred(CSV, (name, b"x"))) == f"a.tar {expected}"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_are_refused(kind: bytes, tmp_path: Path):
    expected = (
        "holds a link, 'x'. It was refused; create it again with the file itself in its place "
        "(tar --dereference --hard-dereference)."
    )
    assert reason(tmp_path / "a.tar", tarred(("x", b""), kind=kind, target="/etc")) == f"a.tar {expected}"
    assert reason(tmp_path / "a.zip", zipped(("x", b"/etc"), mode=stat.S_IFLNK | 0o777)) == f"a.zip {expected}"


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_are_refused(kind: bytes, tmp_path: Path):
    expected = "holds 'x', which is neither file nor folder. It was refused; create it again without it."
    assert reason(tmp_path / "a.tar", tarred(("x", b""), kind=kind)) == f"a.tar {expected}"
    assert reason(tmp_path / "a.zip", zipped(("x", b""), mode=stat.S_IFCHR)) == f"a.zip {expected}"


def test_an_encrypted_file_is_refused(tmp_path: Path):
    assert reason(tmp_path / "a.zip", encrypted(ZIP)) == (
        "a.zip holds an encrypted file, 'day/wind.csv'. It was refused; create it again without a password."
    )


@pytest.mark.parametrize(("name", "pack", "count"), [("a.zip", zipped, 100_000), ("a.tar", tarred, 10_001)])
def test_too_many_entries_are_refused(name: str, pack: Callable[..., bytes], count: int, tmp_path: Path):
    content = pack(*many(count))
    began = time.process_time()
    assert reason(tmp_path / name, content) == (
        f"{name} has more than 10000 entries (ARCHIVE_MAX_ENTRIES in template.yaml). Split it, or raise that value."
    )
    assert time.process_time() - began < 5


BOMBS: dict[str, Callable[[], bytes]] = {
    "bomb.zip": lambda: zipped(("zeros", bytes(100 * MIB))),
    "bomb.tar.gz": lambda: PACKERS["gz"](tarred(("zeros", bytes(100 * MIB)))),
    "bomb.csv.gz": lambda: PACKERS["gz"](bytes(100 * MIB)),
    "bomb.csv.xz": lambda: PACKERS["xz"](bytes(100 * MIB)),
    "bomb.csv.bz2": lambda: PACKERS["bz2"](bytes(100 * MIB)),
}


@cache
def bomb(name: str) -> bytes:
    """Create one of the bombs. They are not created on import, which would take seconds."""
    return BOMBS[name]()


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_for_its_ratio_and_for_its_size(name: str, tmp_path: Path):
    assert len(bomb(name)) < 110_000
    assert reason(tmp_path / name, bomb(name)) == (
        f"{name} unpacks to more than 200 times its size, as a zip bomb does (ARCHIVE_MAX_RATIO in template.yaml). "
        "Find out where it comes from, or raise that value."
    )
    assert reason(tmp_path / name, bomb(name), ArchiveLimits(size_mb=99, ratio=10**9)) == (
        f"{name} unpacks to more than 99 MB (ARCHIVE_MAX_MB in template.yaml). Split it, or raise that value."
    )
    archives.check(tmp_path / name, ArchiveLimits(ratio=10**9))


def test_a_bomb_is_not_read_beyond_its_limit(tmp_path: Path):
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(bomb(path.name))
    tracemalloc.start()
    with pytest.raises(ArchiveError):
        archives.check(path, ArchiveLimits(size_mb=2))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * MIB


def test_a_name_with_a_huge_stated_length_takes_no_memory(tmp_path: Path):
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 200 * MIB
    path = tmp_path / "a.tar.gz"
    tracemalloc.start()
    assert reason(path, PACKERS["gz"](info.tobuf(tarfile.GNU_FORMAT) + bytes(200 * MIB))) == (
        f"a.tar.gz cannot be read as a gz archive (it asks for {200 * MIB} bytes of names at once).{BROKEN}"
    )
    archived = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert archived < 8 * MIB


def test_a_zip_that_understates_its_size_yields_no_more_than_it_states(tmp_path: Path):
    honest = zipped(("zeros", bytes(MIB)))
    entry = honest.index(b"PK\1\2")
    lying = honest[: entry + 24] + (10).to_bytes(4, "little") + honest[entry + 28 :]
    path = tmp_path / "a.zip"
    path.write_bytes(lying)
    archives.check(path, DEFAULT)
    with zipfile.ZipFile(path) as archive:
        assert archive.infolist()[0].file_size == 10
        with pytest.raises(zipfile.BadZipFile, match="Bad CRC-32"):
            archive.read("zeros")


@pytest.mark.parametrize(
    ("name", "content", "kind", "why"),
    [
        ("a.zip", b"no archive", "zip", "File is not a zip file"),
        ("a.zip", ZIP[:-30], "zip", "File is not a zip file"),
        ("a.zip", ZIP[10:], "zip", "'day/wind.csv' is incomplete"),
        ("a.tar", b"no archive", "tar", "truncated header"),
        ("a.tar", TAR[:700], "tar", "unexpected end of data"),
        ("a.tar", TAR[: -tarfile.RECORDSIZE], "tar", r".*"),
        ("a.tar.gz", PACKERS["gz"](TAR)[:-40], "gz", "Compressed file ended before the end-of-stream marker.*"),
        ("a.tar.gz", PACKERS["gz"](TAR)[:-8] + bytes(8), "gz", "CRC check failed.*"),
        ("a.csv.gz", b"time,speed", "gz", r"Not a gzipped file \(b'ti'\)"),
        ("a.csv.bz2", PACKERS["bz2"](CSV[1])[:-9], "bz2", "Compressed file ended before the end-of-stream marker.*"),
        ("a.csv.xz", PACKERS["xz"](CSV[1])[:-9], "xz", "Compressed file ended before the end-of-stream marker.*"),
        ("really gz.csv", PACKERS["gz"](CSV[1])[:-9], "gz", "Compressed file ended.*"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_truncated_archives_are_refused(name: str, content: bytes, kind: str, why: str, tmp_path: Path):
    expected = rf"{re.escape(name)} cannot be read as a {kind} archive \({why}\)\.{re.escape(BROKEN)}"
    assert re.fullmatch(expected, reason(tmp_path / name, content))


def test_a_tar_that_stops_between_two_files_is_refused(tmp_path: Path):
    content = tarred(("a", bytes(512)), ("b", bytes(512)))
    assert reason(tmp_path / "a.tar", content[: 4 * 512]) == (
        f"a.tar cannot be read as a tar archive (it stops before its end-of-archive block).{BROKEN}"
    )


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.gz"])
def test_an_empty_archive_file_is_refused(name: str, tmp_path: Path):
    assert reason(tmp_path / name, b"") == (
        f"{name} is empty (0 bytes). Its transfer may have stopped early: send it again."
    )


def test_a_file_that_is_two_kinds_of_archive_is_checked_as_both(tmp_path: Path):
    both = PACKERS["bz2"](CSV[1]) + zipped(("../x", b"x"))
    assert "leads out of its folder" in reason(tmp_path / "a.zip", both)


def test_without_the_check_the_archive_does_harm(tmp_path: Path):
    """Extract as a pipeline without checks would."""
    inner = tmp_path / "run"
    inner.mkdir()
    path = tmp_path / "a.tar"
    path.write_bytes(tarred(("../escaped.csv", b"x")))
    with tarfile.open(path) as archive:
        archive.extraction_filter = lambda member, _: member  # Python 3.11.2 takes no `filter` yet, and trusts all
        archive.extractall(inner)
    assert (tmp_path / "escaped.csv").exists()
    with pytest.raises(ArchiveError):
        archives.check(path, DEFAULT)


@settings(max_examples=150)
@given(data=st.data(), name=st.sampled_from(["a.zip", "a.tar", "a.tar.gz", "a.tar.bz2", "a.tar.xz"]))
def test_any_bytes_pass_or_are_refused_by_name(
    data: st.DataObject, name: str, tmp_path_factory: pytest.TempPathFactory
):
    content = {"a.zip": ZIP, "a.tar": TAR}.get(name) or PACKERS[name.rpartition(".")[2]](TAR)
    raw = bytearray(content[: data.draw(st.integers(0, len(content)))])
    for _ in range(data.draw(st.integers(0, 4)) if raw else 0):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(raw)
    try:
        archives.check(path, DEFAULT)
    except ArchiveError as error:
        assert str(error).startswith(name)


def test_a_large_valid_archive_takes_little_memory(tmp_path: Path):
    noise = os.urandom(MIB) * 64
    sizes = {"a.zip": zipped(("noise", noise)), "a.tar": tarred(("noise", noise))}
    for name, content in sizes.items():
        (tmp_path / name).write_bytes(content)
        tracemalloc.start()
        began = time.process_time()
        archives.check(tmp_path / name, DEFAULT)
        assert time.process_time() - began < 0.1
        assert tracemalloc.get_traced_memory()[1] < MIB
        tracemalloc.stop()


def test_the_defaults_are_those_of_the_template():
    text = re.sub(r"!\w+", "", Path("template.yaml").read_text())
    variables = yaml.safe_load(text)["Resources"]["PipelineFunction"]["Properties"]["Environment"]["Variables"]
    assert ArchiveLimits.from_env(variables) == ArchiveLimits() == ArchiveLimits.from_env({})
    assert {name for name in variables if name.startswith("ARCHIVE_")} == {
        "ARCHIVE_MAX_ENTRIES", "ARCHIVE_MAX_MB", "ARCHIVE_MAX_RATIO",
    }  # fmt: skip


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "1e3", "٣"])
def test_an_invalid_limit_is_reported(value: str):
    assert ArchiveLimits.from_env({"ARCHIVE_MAX_MB": "7"}).size_mb == 7
    with pytest.raises(SettingsError) as raised:
        ArchiveLimits.from_env({"ARCHIVE_MAX_MB": value})
    assert str(raised.value) == f"ARCHIVE_MAX_MB={value!r} is not a whole number above 0. Correct it in template.yaml."
