"""Data: a NetCDF file's header, plots reduced to pixels, and files that are broken or hostile."""

import base64
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import netCDF4
import numpy as np
import pytest

from tests.support.live_page import Site, add_run, served

KEY = "data/a/a.nc"
HOSTILE = "</script><img src=x onerror=alert(1)>"
SAMPLES = 52_560  # a year of ten minutes


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A year of a series with one spike and its flags, and a field with a gap."""
    (tmp_path / "outputs/data/a").mkdir(parents=True)
    with netCDF4.Dataset(tmp_path / "outputs" / KEY, "w") as file:
        file.setncatts({"title": HOSTILE})
        file.createDimension("time", None)
        file.createDimension("depth", 4)
        time = file.createVariable("time", "i8", ("time",))
        time.setncatts({"units": "seconds since 2020-01-01"})
        time[:] = np.arange(SAMPLES) * 600
        depth = file.createVariable("depth", "f4", ("depth",))
        depth.setncatts({"units": "m", "positive": "down"})
        depth[:] = [5, 10, 15, 20]
        rh = file.createVariable("rh", "f4", ("time",), fill_value=-9999.0)
        rh.setncatts({"units": "%", "long_name": HOSTILE})
        values = np.zeros(SAMPLES)
        values[30_000] = 99.0
        rh[:] = values
        qc = file.createVariable("qc_rh", "i4", ("time",))
        qc.setncatts({"flag_masks": np.int32([1, 2]), "flag_meanings": "missing high", "flag_assessments": "Bad Bad"})
        qc[:] = np.where(values > 1, 2, 0)
        speed = file.createVariable("speed", "f4", ("time", "depth"), fill_value=-1.0)
        speed[:] = np.ma.masked_equal(np.full((SAMPLES, 4), 3.0), 0)
        file.createVariable("name", str, ("depth",))[:] = np.array(list("abcd"), object)
    return tmp_path


def plot(site: Site, variable: str, **more: float) -> Any:
    return site.json("/data/plot.json?" + urlencode({"key": KEY, "var": variable, "columns": 500, "rows": 300, **more}))


def floats(text: str, kind: type = np.float64) -> Any:
    return np.frombuffer(base64.b64decode(text), kind)


def test_the_header_has_what_ncdump_shows(data: Path):
    with served(data) as site:
        found, text = site.json(f"/data.json?key={KEY}"), site.text(f"/data?key={KEY}")
    assert found["dimensions"][0] == {"name": "time", "size": SAMPLES, "unlimited": True}
    assert [(one["name"], one["kind"]) for one in found["variables"]] == [
        ("time", ""), ("depth", ""), ("rh", "series"), ("qc_rh", ""), ("speed", "image"), ("name", ""),
    ]  # fmt: skip
    rh = found["variables"][2]
    assert (rh["type"], rh["units"], rh["attributes"]["_FillValue"]) == ("float32", "%", "-9999.0")
    assert HOSTILE not in text


def test_a_year_is_reduced_and_its_spike_stays(data: Path):
    with served(data) as site:
        found = plot(site, "rh")
        around = found["strips"][0]["spans"][0]
        near = plot(site, "rh", begin=around[0] - 3_600_000, end=around[1] + 3_600_000)
    values = floats(found["y"])
    assert found["is_reduced"]
    assert len(values) <= 1000
    assert values.max() == 99.0
    assert [strip["meaning"] for strip in found["strips"]] == ["high"]
    times, values = floats(near["x"]), floats(near["y"])
    assert not near["is_reduced"]
    assert times[values == 99.0].tolist() == [1_577_836_800_000 + 30_000 * 600_000]


def test_a_field_is_an_image_with_depth_downward(data: Path):
    with served(data) as site:
        found = plot(site, "speed")
    assert found["shape"] == [4, 500]
    assert set(floats(found["z"], np.float32)) == {3.0}
    assert (found["is_down"], found["bottom"], found["top"]) == (True, 2.5, 22.5)


@pytest.mark.parametrize("variable", ["nothing", "name", "qc_rh", "time"])
def test_what_cannot_be_drawn_is_refused(data: Path, variable: str):
    with served(data) as site:
        status, _, body = site.ask(f"/data/plot.json?key={KEY}&var={variable}")
    assert status == 422
    assert b"is not a variable that can be drawn" in body


def test_a_broken_file_costs_neither_the_page_nor_the_next_file(data: Path):
    (data / "outputs/b.nc").write_bytes(b"not NetCDF")
    with served(data) as site:
        status, _, body = site.ask("/data?key=b.nc")
        assert site.ask(f"/data?key={KEY}")[0] == 200
        assert site.ask("/data?key=../state/state.sqlite")[0] == 404
    assert status == 422
    assert b"b.nc: OSError: " in body


def test_a_replaced_file_is_read_anew(data: Path):
    with served(data) as site:
        before = site.json(f"/data.json?key={KEY}")["attributes"]
        with netCDF4.Dataset(data / "outputs/new.nc", "w") as file:
            file.setncatts({"title": "new"})
        (data / "outputs/new.nc").rename(data / "outputs" / KEY)
        after = site.json(f"/data.json?key={KEY}")["attributes"]
    assert before == {"title": HOSTILE}
    assert after == {"title": "new"}


def test_the_newest_files_are_listed_without_a_key(tmp_path: Path):
    outputs = [{"bucket": "out", "key": f"data/{name}", "size": 5} for name in ("a.nc", "a.png")]
    (tmp_path / "outputs/data").mkdir(parents=True)
    for output in outputs:
        (tmp_path / "outputs" / str(output["key"])).touch()
    run_id = add_run(tmp_path, "a/1.csv", pipeline="a", outputs=outputs)
    with served(tmp_path) as site:
        (found,) = site.json("/data.json")["outputs"]
    assert (found["key"], found["run_id"]) == ("data/a.nc", run_id)
