"""Plots of a buoy's day of data. Figures are created without pyplot, so none stays open after the run."""

from collections.abc import Callable
from typing import Any

import matplotlib.dates as mdates
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

# Based on Okabe and Ito's palette, which color-blind readers can distinguish.
BLUE, ORANGE, GREEN, PURPLE, GRAY = "#0072B2", "#D55E00", "#009E73", "#AA4499", "#5A5A5A"
COMPASS = {0: "N", 90: "E", 180: "S", 270: "W", 360: "N"}
# A cyclic color map of constant lightness (CIE L 58, chroma 50), with blue for north. No direction stands out, and none
# looks like the gray of missing data.
DIRECTIONS = LinearSegmentedColormap.from_list(
    "directions",
    ["#2790E3", "#AA77CA", "#DA648D", "#D2714F", "#A4892F", "#5D9A4B", "#00A18A", "#009EC8", "#2790E3"],
)
DPI = 120
HALF_STEP_MIN = 5
WIDTH_IN, LEFT, RIGHT = 9.6, 0.09, 0.91


def surface_met(dataset: xr.Dataset) -> Figure:
    """Plot wind speed and direction from both anemometers, pressure and humidity, and air and sea temperature."""
    figure, (speed, direction, pressure, temperature) = _panels(dataset, "Surface meteorology", 4, height_in=9.5)
    for axes, quantity, style in ((speed, "speed", {"lw": 1.4}), (direction, "direction", {"ls": "", "marker": "."})):
        _line(axes, dataset, f"wind_{quantity}", BLUE, "Cup and vane", **style)
        _line(axes, dataset, f"gill_wind_{quantity}", ORANGE, "Gill ultrasonic", **style)
    speed.set_ylabel("Wind speed (m s⁻¹)")
    direction.set(ylabel="Wind from", ylim=(-10, 370), yticks=list(COMPASS), yticklabels=list(COMPASS.values()))
    humidity = _twin(pressure, "Relative humidity (%)", GREEN)
    _line(pressure, dataset, "pressure", PURPLE, "Pressure")
    _line(humidity, dataset, "rh", GREEN, "Relative humidity")
    _color_y_axis(pressure, "Pressure (hPa)", PURPLE)
    _line(temperature, dataset, "air_temperature", ORANGE, "Air")
    _line(temperature, dataset, "YSI_SST", BLUE, "Sea surface (YSI)")
    _line(temperature, dataset, "CTD_SST", BLUE, "Sea surface (CTD)", ls=":")
    temperature.set_ylabel("Temperature (°C)")
    _legend(speed)
    _legend(temperature)
    if not direction.get_lines():
        _no_data(direction)
    if not [*pressure.get_lines(), *humidity.get_lines()]:
        _no_data(pressure)
    return figure


def conductivity(dataset: xr.Dataset) -> Figure:
    """Plot conductivity, and the sea surface temperature it depends on, on twin axes."""
    figure, (axes,) = _panels(dataset, "Conductivity and sea surface temperature", 1, height_in=4.6)
    temperature = _twin(axes, "Sea surface temperature (°C)", ORANGE)
    _line(axes, dataset, "conductivity", BLUE, "Conductivity")
    _line(temperature, dataset, "CTD_SST", ORANGE, "Temperature (CTD)")
    _line(temperature, dataset, "YSI_SST", ORANGE, "Temperature (YSI)", ls=":")
    _color_y_axis(axes, "Conductivity (S m⁻¹)", BLUE)
    _legend(axes, temperature)
    return figure


def currents(dataset: xr.Dataset) -> Figure:
    """Plot current speed and direction over time and depth, down to the deepest bin with data."""
    figure, (speed, direction) = _panels(dataset, "Ocean currents", 2, height_in=7.2)
    valid = dataset["current_speed"].notnull().any("time").to_numpy()
    deepest = int(np.flatnonzero(valid)[-1]) + 1 if valid.any() else dataset.sizes["depth"]
    shown = dataset.isel(depth=slice(deepest))
    speed_m_s = shown["current_speed"] / 1000
    # Bins at the limit of the profiler's range are noisy. A few outliers must not compress the color scale.
    fastest_m_s = float(np.nanpercentile(speed_m_s, 99.5)) if valid.any() else 1.0
    mesh = _section(speed, speed_m_s, "viridis", vmin=0, vmax=fastest_m_s)
    figure.colorbar(mesh, cax=_bar_axes(speed), label="Current speed (m s⁻¹)", extend="max", extendfrac=0.04)
    mesh = _section(direction, shown["current_direction"], DIRECTIONS, vmin=0, vmax=360)
    bar = figure.colorbar(mesh, cax=_bar_axes(direction), label="Current towards")
    bar.set_ticks(list(COMPASS), labels=list(COMPASS.values()))
    return figure


PLOTS: dict[str, Callable[[xr.Dataset], Figure]] = {
    "surface_met": surface_met,
    "conductivity": conductivity,
    "currents": currents,
}


def _panels(dataset: xr.Dataset, subject: str, rows: int, height_in: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with panels that share one time axis (UTC), titled with the location and the days."""
    figure = Figure(figsize=(WIDTH_IN, height_in), dpi=DPI)
    panels = list(figure.subplots(rows, sharex=True, squeeze=False)[:, 0])
    figure.subplots_adjust(LEFT, bottom=0.5 / height_in, right=RIGHT, top=1 - 0.65 / height_in, hspace=0.2)
    times = dataset["time"].to_numpy()
    days = dict.fromkeys(np.datetime_as_string(times[[0, -1]], unit="D"))
    title_y = 1 - 0.22 / height_in
    figure.text(LEFT, title_y, _title(dataset, subject), va="center", fontsize=12, fontweight="bold")
    figure.text(RIGHT, title_y, " to ".join(days), va="center", ha="right", fontsize=11)
    _time_axis(panels[-1], times)
    for axes in panels:
        # Fixed positions are faster: otherwise each draw measures all tick labels to place the title and the labels.
        axes.set_title("", y=1)
        axes.yaxis.set_label_coords(-0.082, 0.5)
        axes.xaxis.set_label_coords(0.5, 0.16 / height_in, figure.transFigure)
        axes.grid(color="0.9", lw=0.8)
        axes.set_axisbelow(True)
    return figure, panels


def _title(dataset: xr.Dataset, subject: str) -> str:
    return f"{dataset.attrs['location_name']}, {dataset.attrs['platform']}: {subject}"


def _time_axis(axes: Axes, times: NDArray[np.datetime64]) -> None:
    locator = mdates.AutoDateLocator(maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    formatter = mdates.ConciseDateFormatter(locator, show_offset=False)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)
    axes.set_xlabel("Time (UTC)")
    margin = np.timedelta64(0 if times[0] < times[-1] else HALF_STEP_MIN, "m")
    axes.set_xlim(times[0] - margin, times[-1] + margin)


def _line(axes: Axes, dataset: xr.Dataset, name: str, color: str, label: str, **style: Any) -> None:
    """Plot a variable, unless all its values are missing. Then it gets no legend entry either."""
    values = dataset[name].to_numpy()
    if not np.isnan(values).all():
        axes.plot(dataset["time"].to_numpy(), values, color=color, label=label, **{"lw": 1.4, "ms": 3.5, **style})


def _twin(axes: Axes, label: str, color: str) -> Axes:
    twin = axes.twinx()
    twin.set_title("", y=1)
    twin.yaxis.set_label_coords(1.082, 0.5)
    _color_y_axis(twin, label, color)
    return twin


def _bar_axes(axes: Axes) -> Axes:
    """Return axes for a color bar to the right of a panel, without making the panel narrower."""
    bar = axes.inset_axes((1.012, 0, 0.016, 1))
    bar.set_title("", y=1)
    return bar


def _color_y_axis(axes: Axes, label: str, color: str) -> None:
    axes.set_ylabel(label, color=color)
    axes.tick_params(axis="y", colors=color)


def _legend(axes: Axes, twin: Axes | None = None) -> None:
    """Place one legend for both axes above the panel, where it covers no data, or write "no data" in the panel."""
    handles = [*axes.get_lines(), *(twin.get_lines() if twin else [])]
    if handles:
        style: dict[str, Any] = {"frameon": False, "fontsize": 9, "borderaxespad": 0.2, "handlelength": 1.6}
        axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 0.98), ncols=len(handles), **style)
    else:
        _no_data(axes)


def _section(axes: Axes, values: xr.DataArray, colors: str | Colormap, **limits: Any) -> QuadMesh:
    """Plot a (time, depth) variable with the surface on top. Missing values are gray."""
    axes.set_facecolor("0.88")
    axes.grid(False)
    times, filled = values["time"].to_numpy(), values.to_numpy()
    if times.size == 1:  # pcolormesh cannot infer the width of a single profile
        half_step = np.timedelta64(HALF_STEP_MIN, "m")
        times, filled = np.array([times[0] - half_step, times[0] + half_step]), filled.repeat(2, axis=0)
    mesh = axes.pcolormesh(times, values["depth"].to_numpy(), filled.T, cmap=colors, shading="nearest", **limits)
    axes.set(ylabel="Depth (m)", ylim=(float(values["depth"][-1]) + 2, 0))
    if values.isnull().all():
        _no_data(axes)
    return mesh


def _no_data(axes: Axes) -> None:
    axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", va="center", color=GRAY)
