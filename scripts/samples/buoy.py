"""Generate a synthetic day of lidar buoy data: plausible weather and tides, and the errors that quality checks find."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

START = datetime(2020, 12, 1)
STEPS = 144  # of ten minutes
BINS, BIN_SPACING_M = 50, 4.0
NO_ECHO = (46340.0, 225.0)  # what the profiler writes as speed (mm/s) and direction (degrees)
M2_H, K1_H = 12.4206, 23.9345
SUN_DECLINATION = math.radians(-21.8)  # on 1 December

Table = dict[str, list[list[float | None]]]


@dataclass(frozen=True)
class Site:
    """Parameters of one buoy's day: angles in degrees, temperatures in °C, speeds in m/s, pressure in hPa."""

    name: str
    location: str
    seed: int
    latitude: float
    longitude: float
    wind: float
    wind_from: float
    sea_temperature: float
    pressure: float
    humidity: float
    tide: float
    """Speed of the M2 tidal current at the surface."""
    reach_m: float
    """Maximum depth at which the profiler has echoes."""
    whole_numbers: bool
    """Whether the profiler writes 340 instead of 340.0."""
    zipped_on_macos: bool


SITES = (
    Site("z05", "humboldt", 5, 40.9655, -124.5930, 8.0, 55, 12.0, 1024, 78, 0.16, 178, False, False),
    Site("z06", "morro", 6, 35.7070, -121.8660, 9.0, 285, 12.6, 1021, 93, 0.12, 104, True, True),
)


def day_of_csv(site: Site) -> dict[str, str]:
    """Return the text of each instrument's CSV, keyed by instrument."""
    tables = _weather(site) | {"currents": _currents(site)}
    _add_errors(tables)
    return {instrument: _csv(site, instrument, tables[instrument]) for instrument in sorted(tables)}


HEADERS = {
    "conductivity": ["Surface Temperature (C)", "Conductivity (Siemens/m)"],
    "currents": ["NumberOfBins", "BinSpacing", "HeadDepth", "BlankingDistance"]
    + [name for n in range(1, BINS + 1) for name in (f"Vel{n} (mm/s)", f"Dir{n} (deg)")],
    "gill": ["Horizontal Speed (m/s)", "Horizontal Direction (deg)"],
    "gps": ["Latitude", "Longitude"],
    "pressure": ["Barometric Pressure (mb)"],
    "pyranometer": ["Solar Radiation (W/m^2)"],
    "rh": ["Relative Humidity (%)"],
    "surfacetemp": ["Surface Temperature (C)"],
    "temperature": ["Air Temperature (C)"],
    "wind": ["Horizontal Speed (m/s)", "Horizontal Direction (deg)"],
}
# Steps missing from an instrument's file, as in the real files, whose row counts differ.
LOST = {"conductivity": {10, 137}, "currents": {10, 137}, "surfacetemp": {10, 137}, "pyranometer": {10}, "rh": {77}}


def _csv(site: Site, instrument: str, table: list[list[float | None]]) -> str:
    lines = [",".join(["DataTimeStamp", *HEADERS[instrument]])]
    whole = instrument == "currents" and site.whole_numbers
    for step, row in enumerate(table):
        if step not in LOST.get(instrument, ()):
            lines.append(",".join([f"{START + timedelta(minutes=10 * step)}", *(_cell(value, whole) for value in row)]))
    return "\n".join(lines) + "\n"


def _cell(value: float | None, whole: bool) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if whole and value % 10 == 0 else str(value)


def _drift(noise: random.Random, size: float, memory: float = 0.95) -> Callable[[], float]:
    """Return a source of autocorrelated noise: standard deviation `size`, lag-1 autocorrelation `memory`."""
    value = noise.gauss(0, size)

    def following() -> float:
        nonlocal value
        value = memory * value + noise.gauss(0, size * math.sqrt(1 - memory**2))
        return value

    return following


def _cycle(hours: float, period_h: float, peak_h: float) -> float:
    return math.cos(2 * math.pi * (hours - peak_h) / period_h)


def _sun_height(site: Site, hours: float) -> float:
    """Return the sine of the sun's elevation."""
    latitude, hour_angle = math.radians(site.latitude), math.radians(15 * hours + site.longitude - 180)
    overhead = math.sin(latitude) * math.sin(SUN_DECLINATION)
    return overhead + math.cos(latitude) * math.cos(SUN_DECLINATION) * math.cos(hour_angle)


def _weather(site: Site) -> Table:
    noise = random.Random(site.seed)  # noqa: S311  weather, not secrets
    gust, veer, cloud, warmth = _drift(noise, 1.6), _drift(noise, 9), _drift(noise, 0.2, 0.8), _drift(noise, 0.25)
    tables: Table = {name: [] for name in HEADERS if name != "currents"}

    def add(instrument: str, *values: float, digits: int = 3) -> None:
        tables[instrument].append([round(value, digits) for value in values])

    for hours in (step / 6 for step in range(STEPS)):
        speed, direction = max(0.4, site.wind + gust() + 1.2 * _cycle(hours, 24, 4)), (site.wind_from + veer()) % 360
        sun = max(0.0, _sun_height(site, hours))
        air = site.sea_temperature - 0.7 + 0.9 * _cycle(hours, 24, 22.5) + warmth()
        sea = site.sea_temperature + 0.25 * _cycle(hours, 24, 23) + 0.15 * _cycle(hours, M2_H, 3)
        add("wind", speed, direction)
        add("gill", speed * 1.012 + noise.gauss(0, 0.04), (direction + 5.5 + noise.gauss(0, 0.8)) % 360)
        add("pyranometer", 1010 * sun**1.15 * min(1.0, max(0.25, 0.85 + cloud())) - 1.4 + noise.gauss(0, 0.2))
        add("temperature", air)
        add("rh", min(100.0, max(20.0, site.humidity - 6 * (air - site.sea_temperature + 0.7) + noise.gauss(0, 0.8))))
        add("pressure", site.pressure - 0.12 * hours + 0.8 * _cycle(hours, 12, 18) + noise.gauss(0, 0.05))
        add("surfacetemp", sea + noise.gauss(0, 0.004))
        add("conductivity", sea + 0.06 + noise.gauss(0, 0.004), 3.79 + 0.091 * (sea - 12) + noise.gauss(0, 0.0008))
        swing_m = 140 * _cycle(hours, M2_H, 1), 110 * _cycle(hours, M2_H, 4)  # on the mooring, with the tide
        north = site.latitude + (swing_m[0] + noise.gauss(0, 6)) / 111_000
        add("gps", north, site.longitude + (swing_m[1] + noise.gauss(0, 6)) / 84_000, digits=6)
    return tables


def _currents(site: Site) -> list[list[float | None]]:
    noise = random.Random(site.seed + 100)  # noqa: S311
    reach = _drift(noise, 7, 0.9)
    table: list[list[float | None]] = []
    for hours in (step / 6 for step in range(STEPS)):
        row: list[float | None] = [float(BINS), BIN_SPACING_M, 0.85, 0.5]
        echo_m = site.reach_m + reach() + 12 * _cycle(hours, 24, 9)  # the plankton that returns the echo rises at night
        for depth_m in (BIN_SPACING_M * n for n in range(1, BINS + 1)):
            row += _current(site, hours, depth_m, noise) if depth_m <= echo_m else NO_ECHO
        table.append(row)
    return table


def _current(site: Site, hours: float, depth_m: float, noise: random.Random) -> tuple[float, float]:
    """Return speed (mm/s, in steps of ten) and direction (degrees) of tides, alongshore flow and wind drift."""
    tide, inner = math.exp(-depth_m / 220) * site.tide, 0.05 * math.sin(math.pi * depth_m / 140)
    drift, towards = 0.02 * site.wind * math.exp(-depth_m / 18), math.radians(site.wind_from + 180 + 0.6 * depth_m)
    east = tide * (0.6 * _cycle(hours, M2_H, 5) + 0.4 * _cycle(hours, K1_H, 9)) + drift * math.sin(towards)
    north = tide * (_cycle(hours, M2_H, 2) + 0.5 * _cycle(hours, K1_H, 3)) + drift * math.cos(towards) - 0.06
    east += inner * _cycle(hours, M2_H, 8) + noise.gauss(0, 0.012 + depth_m / 12_000)
    north += inner * _cycle(hours, M2_H, 11) + noise.gauss(0, 0.012 + depth_m / 12_000)
    return max(10.0, round(math.hypot(east, north) * 100) * 10.0), round(math.degrees(math.atan2(east, north)) % 360, 1)


def _add_errors(tables: Table) -> None:
    """Add the errors of real data: gaps, spikes and a dead reading."""
    tables["wind"][31][0] = None
    tables["wind"][32] = [None, None]
    tables["gill"][88][0] = 99.9
    tables["gill"][89][1] = 361.7
    tables["temperature"][60][0] = -99.9
    tables["temperature"][61][0] = None
    tables["rh"][102][0] = 101.3
    tables["pressure"][45][0] = 0.0
    tables["conductivity"][120][1] = -0.012
    tables["surfacetemp"][52][0] = 55.0
    tables["gps"][70] = [None, None]
