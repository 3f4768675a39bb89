"""Hourly means of the buoys' wind, compared value by value with sums over the raw CSV files."""

import math
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from pipelines.buoy_wind_hourly.means import hourly_means
from tests.support import buoy_csv

CONFIG = "pipelines/buoy_wind_hourly/config/pipeline.yaml"
BEGIN, END = pd.Timestamp("2020-12-01"), pd.Timestamp("2020-12-02")
BAD, INDETERMINATE = 1, 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the ingest for both buoys, and the VAP for its day."""
    folder = tmp_path_factory.mktemp("wind")
    for location, name in buoy_csv.FILES.items():
        ingest = buoy_csv.load(f"pipelines/a2e_buoy_ingest/config/pipeline_{location}.yaml", folder)
        ingest.run([str(buoy_csv.SAMPLES / name)])
    buoy_csv.load(CONFIG, folder).run(["20201201.000000", "20201202.000000"])
    return folder


@pytest.fixture(scope="module")
def dataset(folder: Path) -> xr.Dataset:
    return xr.load_dataset(next(folder.rglob("california.buoy_wind-1h.c1.20201201.000000.nc")))


def means_of(samples: list[tuple[datetime, float]], *, circular: bool) -> dict[datetime, tuple[float, int]]:
    """Return mean and number of samples for each hour, by definition."""
    hours: dict[datetime, list[float]] = {}
    for time, value in samples:
        if not math.isnan(value):
            hours.setdefault(time.replace(minute=0, second=0), []).append(value)
    means = {}
    for hour, values in hours.items():
        if circular:
            total = sum(complex(math.cos(math.radians(v)), math.sin(math.radians(v))) for v in values)
            mean = math.degrees(math.atan2(total.imag, total.real)) % 360
        else:
            mean = math.fsum(values) / len(values)
        means[hour] = (mean, len(values))
    return means


@pytest.mark.parametrize("location", ["humboldt", "morro"])
@pytest.mark.parametrize("name", ["wind_speed", "wind_direction"])
def test_each_mean_is_that_of_the_good_samples(dataset: xr.Dataset, location: str, name: str) -> None:
    times, values, _ = buoy_csv.expected(buoy_csv.members(buoy_csv.SAMPLES / buoy_csv.FILES[location]))
    samples = list(zip(times.to_pydatetime(), values[name].tolist(), strict=True))
    wanted = means_of(samples, circular=name == "wind_direction")
    assert len(wanted) == dataset.sizes["time"] == 24
    counts = []
    for hour in pd.DatetimeIndex(dataset["time"]):
        mean, count = wanted[hour.to_pydatetime()]
        at = dataset.sel(time=hour)
        assert float(at[f"{location}_{name}"]) == pytest.approx(mean, rel=1e-5), hour
        assert int(at[f"{location}_{name}_samples"]) == count, hour
        assert int(at[f"qc_{location}_{name}"]) == (2 if count < 3 else 0), hour
        counts.append(count)
    assert min(counts) < 6  # the sample has gaps


def test_the_dataset_has_tsdat_s_name(dataset: xr.Dataset, folder: Path) -> None:
    assert (dataset.attrs["datastream"], dataset.attrs["location_id"]) == ("california.buoy_wind-1h.c1", "california")
    assert dataset.attrs["inputs"] == [
        "humboldt.buoy_z05-10m.a1::20201201.000000::20201202.000000",
        "morro.buoy_z06-10m.a1::20201201.000000::20201202.000000",
    ]
    assert dataset["humboldt_wind_direction"].attrs["standard_name"] == "wind_from_direction"
    assert dataset["humboldt_wind_speed"].attrs["units"] == "m/s"
    plot = next(folder.rglob("california.buoy_wind-1h.c1.20201201.000000.wind.png"))
    assert plot.read_bytes()[:4] == b"\x89PNG"


def raw(directions: list[float], bits: list[int]) -> xr.Dataset:
    """Return a sample every ten minutes, as in a file of the ingest."""
    times = pd.date_range(BEGIN, periods=len(directions), freq="10min")
    attrs = {"flag_masks": [BAD, INDETERMINATE], "flag_assessments": ["Bad", "Indeterminate"]}
    variables = {}
    for name in ("wind_speed", "wind_direction"):
        variables[name] = ("time", np.array(directions, dtype="float32"))
        variables[f"qc_{name}"] = ("time", np.array(bits, dtype="int32"), attrs)
    return xr.Dataset(variables, {"time": times})


def first_hour(dataset: xr.Dataset) -> tuple[float, float, int]:
    means = hourly_means(dataset, BEGIN, END).isel(time=0)
    return float(means["wind_speed"]), float(means["wind_direction"]), int(means["wind_direction_samples"])


def test_bad_samples_are_excluded_and_indeterminate_ones_included() -> None:
    speed, direction, samples = first_hour(raw([350, 10, 100, 30], [0, INDETERMINATE, BAD, BAD | INDETERMINATE]))
    assert (speed, samples) == (180, 2)
    assert direction % 360 == pytest.approx(0, abs=1e-9) or direction == pytest.approx(360)


def test_a_single_flag_is_read_as_netcdf_returns_it(tmp_path: Path) -> None:
    dataset = raw([20, 40, 90], [0, 0, BAD])
    for name in ("qc_wind_speed", "qc_wind_direction"):
        dataset[name].attrs = {"flag_masks": [BAD], "flag_assessments": ["Bad"]}
    dataset.to_netcdf(tmp_path / "one.nc")
    assert first_hour(xr.load_dataset(tmp_path / "one.nc")) == (30, pytest.approx(30), 2)


def test_directions_that_cancel_out_have_no_mean() -> None:
    speed, direction, samples = first_hour(raw([0, 90, 180, 270], [0, 0, 0, 0]))
    assert math.isnan(direction)
    assert (speed, samples) == (135, 4)


def test_a_sample_at_the_full_hour_belongs_to_the_next_hour() -> None:
    means = hourly_means(raw([10] * 6 + [20], [0] * 7), BEGIN, BEGIN + timedelta(hours=2))
    assert means["wind_speed"].values.tolist() == [10, 20]
    assert means["wind_speed_samples"].values.tolist() == [6, 1]


def test_duplicate_samples_of_overlapping_files_count_once() -> None:
    twice = xr.concat([raw([10, 40], [0, 0]), raw([10], [0])], dim="time")
    assert first_hour(twice) == (25, pytest.approx(25), 2)


@given(st.lists(st.floats(0, 359.5, width=32), min_size=1, max_size=6))
def test_the_mean_direction_rotates_with_its_samples(directions: list[float]) -> None:
    wanted = means_of([(BEGIN.to_pydatetime(), d) for d in directions], circular=True)[BEGIN.to_pydatetime()][0]
    _, direction, samples = first_hour(raw(directions, [0] * len(directions)))
    assert samples == len(directions)
    length = abs(sum(complex(math.cos(math.radians(d)), math.sin(math.radians(d))) for d in directions))
    if length / len(directions) > 1e-3:
        assert abs((direction - wanted + 180) % 360 - 180) < 1e-3


def test_a_buoy_without_data_has_hours_without_means(tmp_path: Path) -> None:
    sample = buoy_csv.SAMPLES / buoy_csv.FILES["morro"]
    buoy_csv.load("pipelines/a2e_buoy_ingest/config/pipeline_morro.yaml", tmp_path).run([str(sample)])
    made = buoy_csv.load(CONFIG, tmp_path).run(["20201201.120000", "20201202.000000"])
    assert made.sizes["time"] == 12  # and the file, which began before the window, was found
    assert int(made["morro_wind_speed_samples"].sum()) > 60
    assert int(made["humboldt_wind_speed_samples"].sum()) == 0
    assert made["humboldt_wind_speed"].isnull().all()
    assert (made["qc_humboldt_wind_speed"] == 1).all()


@pytest.mark.parametrize(
    ("window", "text"),
    [
        (["20201201.003000", "20201201.020000"],
         "The window from 2020-12-01 00:30:00 to 2020-12-01 02:00:00 does not consist of whole hours (UTC)."),
        (["20201201", "20201202"],
         "Nothing is stored for humboldt.buoy_z05-10m.a1::20201201::20201202 or "
         "morro.buoy_z06-10m.a1::20201201::20201202. Run a2e_buoy_ingest first."),
    ],
)  # fmt: skip
def test_errors_say_what_to_do(tmp_path: Path, window: list[str], text: str) -> None:
    with pytest.raises(ValueError) as caught:
        buoy_csv.load(CONFIG, tmp_path).run(window)
    assert str(caught.value) == text
