"""The tide_gauge pipeline: format, errors, and each value compared with the log."""

import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml
from matplotlib import pyplot as plt

from pipelines.tide_gauge.readers import TideLogReader, start_time
from tests.support.buoy_csv import load

CONFIG = "pipelines/tide_gauge/config/pipeline.yaml"
SAMPLE = Path("data/samples/tide_gauge/mcrl/tide_20200112000000.log")
HEADER = """\
TIDE GAUGE LOG 1
station: MCRL
instrument: gauge
datum: MLLW
columns: offset_s water_level_m sigma_m water_temperature_degC battery_V flag
"""
ROWS = "0 1.25 0.01 8.5 12.5 0\n360 1.5 0.01 nan 11.25 1\n720 1.75 0.02 8.5 12 2\n"
WHOLE = f"{HEADER}{ROWS}end 3\n"
COLUMNS = {
    "water_level": (1, "m", (-3, 6)),
    "water_level_sigma": (2, "m", (0, 2)),
    "water_temperature": (3, "degC", (-2, 30)),
    "battery_voltage": (4, "V", (0, 20)),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tide")
    load(CONFIG, folder).run([str(SAMPLE)])
    return folder


@pytest.fixture(scope="module")
def dataset(folder: Path) -> xr.Dataset:
    return xr.load_dataset(next(folder.rglob("*.nc")))


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return np.genfromtxt(SAMPLE, skip_header=5, skip_footer=1)


def test_times_start_at_the_day_in_the_file_name(dataset: xr.Dataset, rows: np.ndarray) -> None:
    wanted = np.datetime64("2020-12-01T00:00:00", "ns") + rows[:, 0].astype("timedelta64[s]")
    np.testing.assert_array_equal(dataset["time"], wanted)
    assert len(rows) == 240


def test_each_value_equals_the_one_in_the_log(dataset: xr.Dataset, rows: np.ndarray) -> None:
    flags = rows[:, 5].astype(int)
    for name, (column, units, (low, high)) in COLUMNS.items():
        raw = rows[:, column]
        bits = 1 * np.isnan(raw) + 2 * (raw < low) + 4 * (raw > high)
        removed = bits > 0
        if name == "water_level":
            bits = bits + 8 * (flags == 1) + 16 * (flags == 2)
            removed |= flags == 2
        if name == "battery_voltage":
            bits = bits + 8 * (raw < 11.5)
        np.testing.assert_array_equal(dataset[f"qc_{name}"], bits, err_msg=name)
        np.testing.assert_array_equal(dataset[name], np.where(removed, np.nan, raw).astype(np.float32), err_msg=name)
        assert (dataset[name].attrs["units"], dataset[name].encoding["_FillValue"]) == (units, -9999)
        assert dataset[name].attrs["valid_range"].tolist() == [low, high]
        assert dataset[name].attrs["valid_range"].dtype == dataset[name].dtype == np.float32
    np.testing.assert_array_equal(dataset["instrument_flag"], flags)
    assert dataset["instrument_flag"].dtype == dataset["instrument_flag"].attrs["flag_values"].dtype == np.int32


def test_the_sample_contains_values_that_fail_the_checks(dataset: xr.Dataset) -> None:
    assert set(dataset["qc_water_level"].to_numpy()) == {0, 1, 8, 16, 4 + 16}
    assert set(dataset["qc_battery_voltage"].to_numpy()) == {0, 8}
    assert dataset["qc_water_level"].attrs["flag_assessments"] == ["Bad", "Bad", "Bad", "Indeterminate", "Bad"]
    assert dataset["qc_battery_voltage"].attrs["flag_assessments"] == ["Bad", "Bad", "Bad", "Indeterminate"]


def test_attributes_come_from_the_config_and_the_header(dataset: xr.Dataset) -> None:
    assert dataset.attrs["datastream"] == "mcrl.tide_gauge-6m.b1"
    assert dataset.attrs["datum"] == "MLLW"
    assert dataset.attrs["station"] == "MCRL, Sequim Bay, Washington"


def test_one_plot_and_no_open_figure(folder: Path) -> None:
    (plot,) = folder.rglob("*.png")
    assert plot.name == "mcrl.tide_gauge-6m.b1.20201201.000000.water_level.png"
    assert plt.imread(plot)[:, :, :3].std() > 0.05
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("key", "matches"),
    [
        ("tide_20200112000000.log", True),
        ("tide_gauge/mcrl/tide_20200112000000.log", True),
        ("tide_2020011200.log", False),
        ("tide_20200112000000.log.part", False),
        ("tide_20200112000000_log", False),
    ],
)
def test_triggers(key: str, matches: bool) -> None:
    triggers = yaml.safe_load(Path(CONFIG).read_text())["triggers"]
    assert any(re.match(pattern, key) for pattern in triggers) is matches


@pytest.mark.parametrize("name", ["tide_20201301000000.log", "tide_20200113000000.log", "tide_2020.log", "wave.log"])
def test_names_with_an_invalid_date_are_errors(name: str) -> None:
    if name == "tide_20201301000000.log":
        assert start_time(name).isoformat() == "2020-01-13T00:00:00"
        return
    with pytest.raises(ValueError, match=f"{name} is not named tide_YYYYDDMMhhmmss.log .*the day before the month"):
        start_time(name)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "is empty. Its transfer may have stopped early: send it again."),
        (WHOLE.replace("LOG 1", "LOG 2"), "does not begin with the line 'TIDE GAUGE LOG 1' but with 'TIDE GAUGE LOG 2"),
        (WHOLE.encode("utf-16").decode("latin-1"), "does not begin with the line 'TIDE GAUGE LOG 1' but with '"),
        (WHOLE.replace("datum: MLLW\n", ""), "has no 'datum:' line in its header. It needs: station, instrument"),
        (WHOLE.replace("columns: offset_s", "columns: seconds"), "the first column is 'seconds', but"),
        (HEADER + ROWS, "stops after 3 rows without an 'end' line: it is truncated. Send it again."),
        (HEADER + ROWS[:-15], "line 8 has 2 values for 6 columns: '720 1.75'"),
        (WHOLE.replace("end 3", "end 4"), "line 9 is 'end 4', but 3 rows precede it"),
        (HEADER + "end 0\n", "has no rows"),
        (WHOLE.replace("0.02", "0,02"), "line 8 has a value that is not a number: '720 1.75 0,02 8.5 12 2'"),
        (WHOLE.replace("720", "360"), "line 8: the time is not later than in the previous line"),
        (WHOLE.replace("720", "nan"), "line 8: the time is not later than in the previous line"),
    ],
)  # fmt: skip
def test_a_broken_log_is_an_error_with_the_line(content: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / SAMPLE.name
    path.write_text(content)
    with pytest.raises(ValueError, match=f"^{SAMPLE.name}:? {re.escape(text)}"):
        TideLogReader().read(str(path))


def test_the_error_names_a_missing_column(tmp_path: Path) -> None:
    path = tmp_path / SAMPLE.name
    path.write_text(WHOLE.replace("water_level_m", "level_m"))
    text = f"{SAMPLE.name} has no column 'water_level_m', which 'water_level' is read from. It has: "
    with pytest.raises(ValueError, match=re.escape(text)):
        load(CONFIG, tmp_path).run([str(path)])


def test_a_file_that_matches_no_reader_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(r"No reader matches wave.dat. The patterns under 'readers'")):
        load(CONFIG, tmp_path).run(["wave.dat"])
