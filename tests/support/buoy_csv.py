"""The buoy's CSV files, read with pandas alone, and written into archives of each kind."""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from tsdat import IngestPipeline, PipelineConfig

SAMPLES = Path("data/samples/a2e_buoy_ingest")
REAL = Path("../shared/data/a2e_buoy_ingest")
FILES = {
    "humboldt": "humboldt/buoy.z05.00.20201201.000000.zip",
    "morro": "morro/buoy.z06.00.20201201.000000.zip",
}
BINS = range(1, 51)
VEL, DIR = [f"Vel{n} (mm/s)" for n in BINS], [f"Dir{n} (deg)" for n in BINS]
SPEED, DIRECTION = "Horizontal Speed (m/s)", "Horizontal Direction (deg)"

# variable: instrument, column or columns, units, valid range, standard name
VARIABLES = {
    "CTD_SST": ("conductivity", "Surface Temperature (C)", "degC", (-5, 45), "sea_surface_temperature"),
    "conductivity": (
        "conductivity",
        "Conductivity (Siemens/m)",
        "S/m",
        (0, 7),
        "sea_water_electrical_conductivity",
    ),
    "currents_bin_spacing": ("currents", "BinSpacing", "m", None, None),
    "currents_head_depth": ("currents", "HeadDepth", "m", None, None),
    "currents_blanking_distance": ("currents", "BlankingDistance", "m", None, None),
    "current_speed": ("currents", VEL, "mm/s", (0, 10000), "sea_water_speed"),
    "current_direction": ("currents", DIR, "degrees", (0, 360), "sea_water_velocity_to_direction"),
    "gill_wind_speed": ("gill", SPEED, "m/s", (0, 50), "wind_speed"),
    "gill_wind_direction": ("gill", DIRECTION, "degrees", (0, 360), "wind_from_direction"),
    "wind_speed": ("wind", SPEED, "m/s", (0, 50), "wind_speed"),
    "wind_direction": ("wind", DIRECTION, "degrees", (0, 360), "wind_from_direction"),
    "pressure": ("pressure", "Barometric Pressure (mb)", "hPa", (500, 1100), "air_pressure"),
    "rh": ("rh", "Relative Humidity (%)", "%", (0, 100), "relative_humidity"),
    "YSI_SST": ("surfacetemp", "Surface Temperature (C)", "degC", (-5, 50), "sea_surface_temperature"),
    "air_temperature": ("temperature", "Air Temperature (C)", "degC", (-40, 60), "air_temperature"),
    "latitude": ("gps", "Latitude", "degree_N", None, "latitude"),
    "longitude": ("gps", "Longitude", "degree_E", None, "longitude"),
    "solar_radiation": (
        "pyranometer",
        "Solar Radiation (W/m^2)",
        "W/m^2",
        None,
        "surface_downwelling_shortwave_flux_in_air",
    ),
}
SPEED_OF = {
    "current_direction": "current_speed",
    "gill_wind_direction": "gill_wind_speed",
    "wind_direction": "wind_speed",
}
MISSING, BELOW, ABOVE, NO_SPEED = 1, 2, 4, 8


def members(archive: Path) -> dict[str, bytes]:
    """Return the CSV files of a zip archive, by name."""
    with zipfile.ZipFile(archive) as opened:
        return {name: opened.read(name) for name in opened.namelist() if not name.startswith("__MACOSX")}


def tables(files: dict[str, bytes]) -> dict[str, pd.DataFrame]:
    """Return the CSV files by instrument, indexed by time."""
    return {
        name.split(".")[-2]: pd.read_csv(io.BytesIO(content), index_col="DataTimeStamp", parse_dates=True)
        for name, content in files.items()
    }


def expected(files: dict[str, bytes]) -> tuple[pd.DatetimeIndex, dict[str, NDArray], dict[str, NDArray]]:
    """Return the expected times, and each variable's values and quality bits."""
    frames = tables(files)
    times = pd.DatetimeIndex(sorted(set().union(*(frame.index for frame in frames.values()))))
    values, bits = {}, {}
    for name, (instrument, columns, _, valid_range, _) in VARIABLES.items():
        raw = frames[instrument].reindex(times)[columns].to_numpy(dtype=float)
        low, high = valid_range or (-np.inf, np.inf)
        bits[name] = MISSING * np.isnan(raw) + BELOW * (raw < low) + ABOVE * (raw > high)
        if name in SPEED_OF:
            bits[name] += NO_SPEED * (np.isnan(values[SPEED_OF[name]]) & (bits[name] == 0))
        values[name] = np.where(bits[name] == 0, raw, np.nan)
    return times, values, bits


def load(config: str, folder: Path) -> IngestPipeline:
    """Return a pipeline that stores in a folder."""
    storage = {"classname": "tsdat.io.storage.FileSystem", "parameters": {"storage_root": str(folder)}}
    return PipelineConfig.from_yaml(Path(config), overrides={"/storage": storage}).instantiate_pipeline()


def run(location: str, inputs: list[Path], folder: Path) -> xr.Dataset:
    """Run the pipeline on the file system and return the dataset."""
    pipeline = load(f"pipelines/a2e_buoy_ingest/config/pipeline_{location}.yaml", folder)
    pipeline.run([str(path) for path in inputs])
    (saved,) = folder.rglob("*.nc")
    return xr.load_dataset(saved)


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_tar(path: Path, files: dict[str, bytes]) -> Path:
    """Write .tar or .tar.gz with a folder as its first member, as `tar` does."""
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        folder = tarfile.TarInfo("2020-12-01")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in files.items():
            info = tarfile.TarInfo(f"2020-12-01/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path
