"""The a2e_buoy_ingest pipeline from file to file; each value is compared with the CSV files."""

import logging
import re
from dataclasses import dataclass
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import xarray as xr
import yaml
from matplotlib import pyplot as plt

from tests.support import buoy_csv
from tests.support.buoy_csv import BELOW, FILES, MISSING, NO_SPEED, REAL, SAMPLES, SPEED_OF, VARIABLES

PLOTS = ("surface_met", "conductivity", "currents")


@dataclass
class Day:
    """The pipeline's run on one archive."""

    location: str
    files: dict[str, bytes]
    folder: Path
    dataset: xr.Dataset


@pytest.fixture(
    scope="module",
    params=[(folder, location) for folder in (SAMPLES, REAL) for location in FILES],
    ids=lambda param: f"{'real' if param[0] == REAL else 'sample'}-{param[1]}",
)
def day(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Day:
    folder, location = request.param
    archive = folder / FILES[location]
    if not archive.exists():
        pytest.skip(f"{archive} is not here: the real files are not part of the repository")
    output = tmp_path_factory.mktemp(location)
    return Day(location, buoy_csv.members(archive), output, buoy_csv.run(location, [archive], output))


def test_times_are_the_union_of_the_instruments(day: Day) -> None:
    times, _, _ = buoy_csv.expected(day.files)
    np.testing.assert_array_equal(day.dataset["time"].to_numpy(), times.to_numpy())
    assert (np.diff(day.dataset["time"]) > np.timedelta64(0, "ns")).all()


def test_each_value_equals_the_one_in_the_csv(day: Day) -> None:
    _, values, _ = buoy_csv.expected(day.files)
    for name, wanted in values.items():
        found = day.dataset[name]
        # mbar to hPa is a multiplication by nearly one; all else is only rounded to the output's precision
        rtol = 1e-6 if name == "pressure" else 0
        np.testing.assert_allclose(found, wanted.astype(found.dtype), rtol=rtol, err_msg=name)
    np.testing.assert_array_equal(day.dataset["depth"], np.arange(4, 201, 4))


def test_quality_bits_show_why_a_value_is_missing(day: Day) -> None:
    _, _, bits = buoy_csv.expected(day.files)
    for name, wanted in bits.items():
        found = day.dataset[f"qc_{name}"]
        np.testing.assert_array_equal(found, wanted, err_msg=name)
        meanings = ["Value is missing"]
        meanings += ["Value is below valid_range", "Value is above valid_range"] * (VARIABLES[name][3] is not None)
        meanings += ["Direction has no valid speed"] * (name in SPEED_OF)
        assert list(np.atleast_1d(found.attrs["flag_meanings"])) == meanings
        assert np.atleast_1d(found.attrs["flag_masks"]).tolist() == [1, 2, 4, 8][: len(meanings)]
        assert set(np.atleast_1d(found.attrs["flag_assessments"])) == {"Bad"}
        assert day.dataset[name].attrs["ancillary_variables"] == f"qc_{name}"


def test_without_an_echo_neither_speed_nor_direction_is_kept(day: Day) -> None:
    table = buoy_csv.tables(day.files)["currents"]
    filled = (table[buoy_csv.VEL].to_numpy() == 46340) & (table[buoy_csv.DIR].to_numpy() == 225)
    assert filled.any()
    at = day.dataset.sel(time=table.index)
    assert set(at["qc_current_speed"].to_numpy()[filled]) == {buoy_csv.ABOVE}
    assert set(at["qc_current_direction"].to_numpy()[filled]) == {NO_SPEED}
    assert np.isnan(at["current_direction"].to_numpy()[filled]).all()


def test_attributes_of_the_dataset(day: Day) -> None:
    place, buoy, platform = {
        "humboldt": ("Humboldt", "z05", "Buoy #120"),
        "morro": ("Morro Bay", "z06", "Buoy #130"),
    }[day.location]
    wanted = {
        "title": f"{place} buoy, surface meteorology and ocean currents",
        "location_id": day.location,
        "dataset_name": f"buoy_{buoy}",
        "temporal": "10m",
        "data_level": "a1",
        "datastream": f"{day.location}.buoy_{buoy}-10m.a1",
        "platform": platform,
    }
    assert {name: day.dataset.attrs[name] for name in wanted} == wanted
    assert f"off {place}, California" in day.dataset.attrs["description"]
    assert day.dataset.attrs["inputs"].endswith(FILES[day.location])


def test_attributes_types_and_fill_values_of_the_variables(day: Day) -> None:
    assert set(day.dataset.data_vars) == {*VARIABLES, *(f"qc_{name}" for name in VARIABLES)}
    for name, (_, columns, units, valid_range, standard_name) in VARIABLES.items():
        variable = day.dataset[name]
        dtype = np.float64 if name in ("latitude", "longitude") else np.float32
        assert (variable.dtype, variable.encoding["_FillValue"]) == (dtype, -9999), name
        assert variable.dims == (("time", "depth") if isinstance(columns, list) else ("time",)), name
        assert (variable.attrs["units"], variable.attrs.get("standard_name")) == (units, standard_name), name
        assert variable.attrs["long_name"]
        assert tuple(variable.attrs.get("valid_range", ())) == (valid_range or ()), name
        assert valid_range is None or variable.attrs["valid_range"].dtype == dtype
        assert day.dataset[f"qc_{name}"].dtype == np.int32
    depth, time = day.dataset["depth"], day.dataset["time"]
    assert (depth.attrs["units"], depth.attrs["positive"], "_FillValue" in depth.encoding) == ("m", "down", False)
    assert (time.encoding["units"], time.encoding["dtype"]) == ("seconds since 1970-01-01", np.int64)


def test_three_plots_and_no_open_figure(day: Day) -> None:
    plots = {path.name.split(".")[-2]: path for path in day.folder.rglob("*.png")}
    assert set(plots) == set(PLOTS)
    for path in plots.values():
        pixels = matplotlib.image.imread(path)[:, :, :3]
        assert pixels.shape[1] == 1152
        assert pixels.std() > 0.05
    assert plt.get_fignums() == []


def test_a_single_csv_leaves_the_other_variables_missing(tmp_path: Path) -> None:
    files = buoy_csv.members(SAMPLES / FILES["humboldt"])
    name = next(name for name in files if name.endswith(".wind.csv"))
    (tmp_path / name).write_bytes(files[name])
    dataset = buoy_csv.run("humboldt", [tmp_path / name], tmp_path / "output")

    table = buoy_csv.tables(files)["wind"]
    np.testing.assert_array_equal(dataset["wind_speed"], table[buoy_csv.SPEED].to_numpy(np.float32))
    for other in set(VARIABLES) - {"wind_speed", "wind_direction"}:
        assert dataset[other].isnull().all()
        assert (dataset[f"qc_{other}"] == MISSING).all()
    assert dataset["current_speed"].shape == (len(table), 50)
    assert len(list((tmp_path / "output").rglob("*.png"))) == 3


@pytest.mark.parametrize("instrument", sorted({variable[0] for variable in VARIABLES.values()}))
def test_plots_work_with_a_single_instrument(instrument: str, tmp_path: Path) -> None:
    from pipelines.a2e_buoy_ingest.plots import PLOTS as DRAW

    dataset = xr.Dataset(coords={"time": np.array(["2020-12-01"], "datetime64[ns]"), "depth": [4.0, 8.0]})
    dataset.attrs = {"location_name": "Humboldt", "platform": "Buoy #120"}
    for name, (source, columns, *_) in VARIABLES.items():
        dims = ("time", "depth") if isinstance(columns, list) else ("time",)
        value = 100.0 if source == instrument else np.nan
        dataset[name] = dims, np.full([dataset.sizes[dim] for dim in dims], value, np.float32)
    for name, draw in DRAW.items():
        draw(dataset).savefig(tmp_path / f"{name}.png")


def test_a_run_logs_no_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODE_VERSION", "1.2.3")  # otherwise tsdat warns where there is no git
    with caplog.at_level(logging.WARNING):
        buoy_csv.run("morro", [SAMPLES / FILES["morro"]], tmp_path)
    assert caplog.messages == []


def test_the_samples_contain_values_that_fail_the_checks() -> None:
    _, _, bits = buoy_csv.expected(buoy_csv.members(SAMPLES / FILES["humboldt"]))
    assert {BELOW, MISSING} <= set(bits["air_temperature"])
    assert NO_SPEED in bits["wind_direction"]
    assert NO_SPEED in bits["gill_wind_direction"]
    assert {buoy_csv.ABOVE} <= set(bits["gill_wind_direction"])


def test_routes_and_triggers_lead_to_one_location_each() -> None:
    routes = yaml.safe_load(Path("pipelines/routes.yaml").read_text())
    for location, file in FILES.items():
        for key in (file, Path(file).name, file.replace(".zip", ".tar.gz"), file.replace(".zip", ".wind.csv")):
            name = Path(key).name
            assert list(routes["pipelines"]) == ["a2e_buoy_ingest"]
            assert re.match(routes["pipelines"]["a2e_buoy_ingest"], name)
            assert [place for place, pattern in routes["locations"].items() if re.match(pattern, name)] == [location]
            configs = {place: Path(f"pipelines/a2e_buoy_ingest/config/pipeline_{place}.yaml") for place in FILES}
            triggers = {place: yaml.safe_load(config.read_text())["triggers"] for place, config in configs.items()}
            assert [place for place in FILES if any(re.match(regex, key) for regex in triggers[place])] == [location]
