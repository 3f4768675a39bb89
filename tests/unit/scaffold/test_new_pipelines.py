"""Ten sample files become ten pipelines, which check, run, and store what is in the file."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from runner.cli import check, new
from runner.scaffold.proposal import Answers
from runner.settings import Settings
from tests.unit.scaffold.conftest import SAMPLES

NAMES = sorted(path.name for path in SAMPLES.iterdir())
# The names, units and first values of the outputs, from the weather that scripts/samples/formats.py makes.
FIRST = {
    "46087_20240501.txt": {"wind_speed": (5.5, "m/s"), "air_pressure": (1014.0, "hPa"), "wave_height": (np.nan, "m")},
    "CR1000X_TenMin_2024_05_01.dat": {"air_temperature": (7.37, "degC"), "battery_voltage_min": (12.6, "V")},
    "array_2024122.dat": {"air_temperature": (7.38, "degC"), "relative_humidity": (83.2, "%")},
    "dock_240501.csv": {"air_temperature": (7.38, "degC"), "battery_voltage": (3.6, "V")},
    "mooring_20240501.nc": {"sea_water_temperature": (8.74, "degC"), "sea_water_pressure": (13.01, "dbar")},
    "office_202405.xlsx": {"air_temperature": (7.37, "degC"), "wind_gust": (16.3 * 0.44704, "m/s")},
    "pier_2024-05-01T00.json": {"wind_speed": (5.5, "m/s"), "air_pressure": (1014.0, "hPa")},
    "probe12-2024-05-01.tsv": {"sea_water_temperature": (8.74, "degC"), "salinity": (30.83, "1")},
    "roof_20240501.csv": {"air_temperature": (7.38, "degC"), "wind_speed": (10.6 * 1852 / 3600, "m/s"),
                          "air_pressure": (29.94 * 33.8639, "hPa")},
    "wetter_01.05.2024.csv": {"air_temperature": (7.4, "degC"), "wind_speed": (19.7 / 3.6, "m/s")},
}  # fmt: skip


def make(settings: Settings, name: str, path: Path, **answers: object) -> int:
    """Make a pipeline without a question."""
    given = Answers(location="pier", latitude=46.3, longitude=-119.3, **answers)  # type: ignore[arg-type]
    return new.make(settings, name, path, given, None, asks=False, compare=False)


def pipeline_name(sample: str) -> str:
    return f"new_{sample.split('.')[0].lower().replace('-', '_')}"


def output(settings: Settings, name: str) -> xr.Dataset:
    (path,) = (settings.root / "pipelines" / name / "test/data/expected").glob("*.nc")
    return xr.load_dataset(path)


@pytest.mark.parametrize("sample", NAMES)
def test_a_sample_becomes_a_pipeline_that_runs(project: Settings, sample: str) -> None:
    name = pipeline_name(sample)
    zone = "Europe/Berlin" if sample.startswith("wetter") else None
    assert make(project, name, SAMPLES / sample, timezone=zone) == 0
    dataset = output(project, name)
    assert dataset.sizes["time"] == 72
    start = "2024-05-01T12:00" if zone else "2024-05-01T00:00"
    assert dataset["time"].to_numpy()[0] == np.datetime64(start)
    assert dataset.attrs["temporal"] == "10m"
    for variable, (value, units) in FIRST[sample].items():
        found = dataset[variable]
        np.testing.assert_allclose(found[0], value, rtol=1e-2, err_msg=variable)
        assert found.attrs["units"] == units


def test_all_pass_check_and_their_own_tests(project: Settings) -> None:
    assert list(check.problems(project)) == []
    for sample in NAMES:
        module = importlib.import_module(f"pipelines.{pipeline_name(sample)}.test.test_pipeline")
        getattr(module, f"test_{pipeline_name(sample)}_pipeline")()


@pytest.mark.filterwarnings("ignore")  # of the checker itself
def test_all_pass_the_cf_and_acdd_checks(project: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    from compliance_checker import runner

    runner.CheckSuite.load_all_available_checkers()
    for path in sorted(project.root.glob("pipelines/*/test/data/expected/*.nc")):
        passed, _ = runner.ComplianceChecker.run_checker(
            str(path), ["cf:1.10", "acdd:1.3"], verbose=0, criteria="lenient", output_filename="-", output_format="text"
        )
        assert passed, capfd.readouterr().out
