"""BuoyReader: archives and CSV files that it reads, members that it ignores, and its errors."""

import gzip
import io
import random
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.a2e_buoy_ingest.instrument_csv import read_csv
from tests.support import buoy_csv
from tests.support.buoy_csv import FILES, SAMPLES, write_tar, write_zip

STEM = "buoy.z05.00.20201201.000000"
RH = b"DataTimeStamp,Relative Humidity (%)\n2020-12-01 00:00:00,80.5\n2020-12-01 00:10:00,81.25\n"
CURRENTS = (
    b"DataTimeStamp,BinSpacing,HeadDepth,BlankingDistance,Vel1 (mm/s),Dir1 (deg)\n2020-12-01 00:00:00,2,1,1,90,45\n"
)


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return buoy_csv.members(SAMPLES / FILES["humboldt"])


@pytest.fixture(scope="module")
def retrieve(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., xr.Dataset]:
    """Return a function that reads and merges as the pipeline does, without quality checks and plots."""
    config = "pipelines/a2e_buoy_ingest/config/pipeline_humboldt.yaml"
    pipeline = buoy_csv.load(config, tmp_path_factory.mktemp("storage"))
    return lambda *paths: pipeline.retriever.retrieve([str(path) for path in paths], pipeline.dataset_config)


@pytest.fixture(scope="module")
def complete(retrieve: Callable[..., xr.Dataset]) -> xr.Dataset:
    return retrieve(SAMPLES / FILES["humboldt"])


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".zip"])
def test_every_kind_of_archive_leads_to_the_same_dataset(
    suffix: str, files: dict[str, bytes], retrieve: Callable[..., xr.Dataset], complete: xr.Dataset, tmp_path: Path
) -> None:
    write = write_zip if suffix == ".zip" else write_tar
    xr.testing.assert_identical(retrieve(write(tmp_path / f"{STEM}{suffix}", files)), complete)


def test_csv_files_passed_together_lead_to_the_same_dataset(
    files: dict[str, bytes], retrieve: Callable[..., xr.Dataset], complete: xr.Dataset, tmp_path: Path
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    xr.testing.assert_identical(retrieve(*(tmp_path / name for name in files)), complete)


def test_members_that_are_no_instrument_csv_are_ignored(
    files: dict[str, bytes], retrieve: Callable[..., xr.Dataset], complete: xr.Dataset, tmp_path: Path
) -> None:
    first = next(iter(files))
    others = {f"__MACOSX/._{first}": b"\0\5\x16\7", f"._{first}": b"\0\5\x16\7", "readme.txt": b"hello", "empty/": b""}
    others |= {".DS_Store": b"\0", f"{STEM}.lidar.csv": b"of another kind"}
    xr.testing.assert_identical(retrieve(write_zip(tmp_path / "buoy.z05.zip", others | files)), complete)
    xr.testing.assert_identical(retrieve(write_tar(tmp_path / "buoy.z05.tar", others | files)), complete)


def test_the_path_of_a_member_is_only_a_label(retrieve: Callable[..., xr.Dataset], tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    archive = write_zip(inbox / "buoy.z05.zip", {"../../escaped.rh.csv": RH, "/absolute.rh.csv": RH})
    assert retrieve(archive)["rh"].to_numpy().tolist() == [80.5, 81.25]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [archive]


def test_two_archives_of_one_day_merge(
    files: dict[str, bytes], retrieve: Callable[..., xr.Dataset], complete: xr.Dataset, tmp_path: Path
) -> None:
    def part(of: slice) -> dict[str, bytes]:
        lines = {name: content.decode().splitlines(keepends=True) for name, content in files.items()}
        return {name: "".join([header, *rows[of]]).encode() for name, (header, *rows) in lines.items()}

    halves = [part(slice(0, 80)), part(slice(60, None))]  # with twenty lines in both
    archives = [write_zip(tmp_path / f"buoy.z05.{i}.zip", half) for i, half in enumerate(halves)]
    xr.testing.assert_identical(retrieve(*archives), complete)


def test_two_inputs_that_disagree_are_an_error(retrieve: Callable[..., xr.Dataset], tmp_path: Path) -> None:
    one = write_zip(tmp_path / "one.zip", {f"{STEM}.rh.csv": RH})
    two = write_zip(tmp_path / "two.zip", {f"{STEM}.rh.csv": RH.replace(b"80.5", b"79")})
    with pytest.raises(ValueError, match="different values for the same time.*one.zip.*two.zip.*Run them one by one"):
        retrieve(one, two)


def encrypted(content: bytes) -> bytes:
    """Set the flag for encryption; without a password zipfile reads no further."""
    raw = bytearray(content)
    raw[6] |= 1
    raw[raw.index(b"PK\1\2") + 8] |= 1
    return bytes(raw)


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write_tar(Path(folder) / "b.tar", members).read_bytes()


WHOLE_ZIP = zipped({f"{STEM}.rh.csv": RH})
TAR = tarred({f"{STEM}.rh.csv": RH * 9})


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("b.zip", b"", r"b.zip is empty \(0 bytes\). Its transfer may have stopped early: send it again."),
        ("b.csv", b"", r"b.csv is empty \(0 bytes\)"),
        ("b.zip", b"no archive", "b.zip cannot be read as the archive its name indicates .*test it where it came from"),
        ("b.zip", WHOLE_ZIP[:-30], "b.zip cannot be read as the archive"),
        ("b.zip", WHOLE_ZIP.replace(b"81.25", b"81.26"), "b.zip cannot be read .*Bad CRC-32"),
        ("b.zip", encrypted(WHOLE_ZIP), "b.zip cannot be read .*password required"),
        ("b.tar", b"no archive", "b.tar cannot be read as the archive"),
        ("b.tar", TAR[:600], "b.tar cannot be read .*stops before its end-of-archive block"),
        ("b.tar", TAR[:512] + b"x" + TAR[513:], "b.tar cannot be read .*stops before its end-of-archive block"),
        ("b.tar", TAR[:1200], "b.tar cannot be read as the archive"),
        ("b.tar.gz", gzip.compress(TAR)[:-8] + bytes(8), "b.tar.gz cannot be read .*CRC check failed"),
        ("b.tar.gz", gzip.compress(TAR)[:-60], "b.tar.gz cannot be read as the archive"),
        ("b.tar.gz", b"\x1f\x8b no archive", "b.tar.gz cannot be read as the archive"),
        ("b.zip", zipped({"a.txt": b"", "b.png": b""}), r"b.zip has no file .*\*.conductivity.csv, .*\*.wind.csv\."),
        ("b.lidar.csv", RH, r"b.lidar.csv has no file of a known instrument. The known names are: \*.conductivity.csv"),
        ("b.zip", zipped({"b.rh.csv": b""}), r"b.zip: b.rh.csv is empty \(0 bytes\). Its transfer may"),
        ("b.rh.csv", RH.splitlines()[0], "b.rh.csv has a header but no rows"),
        ("b.rh.csv", RH.replace(b"81.25", b"81.25,1"), "b.rh.csv is not a CSV file: Expected 2 fields in line 3, saw"),
        ("b.rh.csv", RH.replace(b"81.25", b"8l.25"), r"'8l.25' in column 'Relative Humidity \(%\)' at 2020-12-01"),
        ("b.rh.csv", RH.replace(b"00:10:00", b"00:1"), "has a 'DataTimeStamp' not formatted as 2020-12-01 00:10:00"),
        ("b.rh.csv", RH.replace(b"2020-12-01 00:10:00", b""), "b.rh.csv has no 'DataTimeStamp' in line 3"),
        ("b.rh.csv", RH.replace(b"Data", b""), r"no column 'DataTimeStamp'. It has: TimeStamp, Relative"),
        ("b.rh.csv", RH.replace(b"00:10:00", b"00:00:00"), "has two different lines for 2020-12-01 00:00:00. Remove"),
        ("b.rh.csv", RH[:-8], "b.rh.csv stops in the middle of line 3, after '2020-12-01 00:10:0'. Its transfer may"),
        ("b.rh.csv", RH.decode().encode("utf-16"), "b.rh.csv is not UTF-8 text: line 1 contains the byte 0xff. A"),
        ("b.rh.csv", RH + b"\xe9", "b.rh.csv is not UTF-8 text: line 4 contains the byte 0xe9. .*save it as 'CSV"),
        ("b.rh.csv", RH + bytes(9), "b.rh.csv is not text: it contains NUL bytes. Its transfer may have failed: send"),
        ("b.currents.csv", CURRENTS.replace(b"Dir1", b"Dir2"), r"has no column 'Vel2 \(mm/s\)', 'Dir1 \(deg\)'"),
        ("b.currents.csv", CURRENTS.replace(b"00,2,", b"00,,"), r"needs one BinSpacing above 0 m; it has \[\]"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 15 else "",
)  # fmt: skip
def test_unreadable_input_is_an_error(
    name: str, content: bytes, text: str, retrieve: Callable[..., xr.Dataset], tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"(?s){text}"):
        retrieve(tmp_path / name)


@pytest.mark.parametrize("name", [f"{STEM}.rh.csv", f"{STEM}.zip"])
def test_the_error_names_a_missing_column(name: str, retrieve: Callable[..., xr.Dataset], tmp_path: Path) -> None:
    content = RH.replace(b"Relative Humidity", b"Humidity")
    (tmp_path / name).write_bytes(zipped({f"{STEM}.rh.csv": content}) if name.endswith("zip") else content)
    label = f"{STEM}.zip: {STEM}.rh.csv" if name.endswith("zip") else name
    with pytest.raises(ValueError, match=r"has no column 'Relative Humidity \(%\)'") as raised:
        retrieve(tmp_path / name)
    assert str(raised.value) == (
        f"{label} has no column 'Relative Humidity (%)', which 'rh' is read from. It has: Humidity (%), time. "
        "Correct the file, or set the name of its column in the retriever config."
    )


def test_depth_follows_the_bin_spacing_in_the_file() -> None:
    dataset = read_csv(CURRENTS, "currents")
    assert dataset["depth"].to_numpy().tolist() == [2]
    assert dataset["Vel (mm/s)"].dims == ("time", "depth")


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32), repeats=st.lists(st.integers(0, 19), max_size=5))
def test_the_order_and_repetition_of_lines_do_not_matter(seed: int, repeats: list[int]) -> None:
    times = pd.date_range("2020-12-01", periods=20, freq="10min").astype(str)
    rows = [f"{time},{i if i % 7 else ''}" for i, time in enumerate(times)]
    mixed = rows + [rows[i] for i in repeats]
    random.Random(seed).shuffle(mixed)
    complete, found = (read_csv("\n".join(["DataTimeStamp,a", *lines]).encode(), "a.csv") for lines in (rows, mixed))
    xr.testing.assert_identical(found, complete)
    assert found["time"].dtype == np.dtype("datetime64[ns]")
