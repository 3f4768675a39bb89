"""assert_datasets_match reports every kind of difference; `pytest --stack` works for a user's own tests."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from runner.testing import assert_datasets_match
from runner.testing.stacks import environment


def make() -> xr.Dataset:
    times = np.array(["2020-12-01T00:00", "2020-12-01T00:10"], dtype="datetime64[ns]")
    data = {"speed": ("time", np.array([1.5, np.nan], dtype="f4"), {"units": "m/s", "valid_range": [0.0, 50.0]})}
    return xr.Dataset(data, coords={"time": times}, attrs={"title": "Buoy", "history": "today"})


def test_equal_datasets_match_including_missing_values():
    assert_datasets_match(make(), make().assign_attrs(history="yesterday"))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda d: d["speed"].values.__setitem__(0, 2.5), "speed: values differ, 1 of 2, first at [0]: 2.5 ≠ 1.5"),
        (lambda d: d.attrs.update(title="Float"), "attribute title: 'Float' ≠ 'Buoy'"),
        (lambda d: d["speed"].attrs.update(units="cm/s"), "speed: attribute units: 'cm/s' ≠ 'm/s'"),
        (lambda d: d["speed"].attrs.pop("units"), "speed: attribute units: None ≠ 'm/s'"),
        (lambda d: d["speed"].attrs.update(valid_range=[0, 50]), "speed: attribute valid_range: [0, 50] ≠ [0.0, 50.0]"),
        (lambda d: d.__setitem__("speed", d["speed"].astype("f8")), "speed: dtype: dtype('float64') ≠"),
        (lambda d: d.__delitem__("speed"), "speed: missing"),
        (lambda d: d.__setitem__("more", 1), "more: not expected"),
    ],
)
def test_each_difference_is_reported(change: Callable[[xr.Dataset], object], text: str):
    changed = make()
    change(changed)
    with pytest.raises(AssertionError) as caught:
        assert_datasets_match(changed, make())
    assert text in str(caught.value)


def test_files_are_compared_including_fill_values_and_types_on_disk(tmp_path: Path):
    for name, fill in (("a", -9999.0), ("b", -1.0)):
        make().to_netcdf(tmp_path / f"{name}.nc", encoding={"speed": {"_FillValue": np.float32(fill)}})
    assert_datasets_match(tmp_path / "a.nc", str(tmp_path / "a.nc"))
    with pytest.raises(AssertionError, match=r"speed: stored _FillValue: .*9999.* ≠ .*1\.0"):
        assert_datasets_match(tmp_path / "a.nc", tmp_path / "b.nc")


def test_missing_docker_skips_locally_and_fails_on_ci(tmp_path: Path):
    (tmp_path / "test_mine.py").write_text("def test_mine(drop): drop('x')\n")
    python, empty_path = sys.executable, str(tmp_path)
    command = [python, "-m", "pytest", "-p", "runner.testing", "--stack", "docker", "-rs", str(tmp_path)]
    here = environment(PATH=empty_path)
    done = subprocess.run(command, capture_output=True, text=True, env=here, cwd=tmp_path, check=False)
    assert "1 skipped" in done.stdout
    assert "needs Docker: docker is not installed" in done.stdout
    done = subprocess.run(command, capture_output=True, text=True, env=here | {"CI": "1"}, cwd=tmp_path, check=False)
    assert "CI must run the Docker tests, but docker is not installed" in done.stdout
    assert done.returncode == 1
