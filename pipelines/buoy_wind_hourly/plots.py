"""Plot of the buoys' hourly wind. The figure is created without pyplot, so it does not stay open after the run."""

import matplotlib.dates as mdates
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# From Okabe and Ito's palette, which color-blind readers can distinguish.
BUOYS = {"humboldt": ("Humboldt", "#0072B2"), "morro": ("Morro Bay", "#D55E00")}
COMPASS = {0: "N", 90: "E", 180: "S", 270: "W", 360: "N"}


def wind(dataset: xr.Dataset) -> Figure:
    """Plot wind speed and direction at both buoys. A hollow marker shows a mean of few samples."""
    figure = Figure(figsize=(9.6, 5.6), dpi=120)
    speed, direction = figure.subplots(2, sharex=True)
    figure.subplots_adjust(left=0.09, right=0.97, bottom=0.11, top=0.87, hspace=0.12)
    times = dataset["time"].to_numpy()
    days = " to ".join(dict.fromkeys(np.datetime_as_string(times[[0, -1]], unit="D")))
    speed.set_title("Hourly mean wind", loc="left", fontweight="bold", y=1.1)
    speed.set_title(days, loc="right", fontsize=11, y=1.1)
    for name, (label, color) in BUOYS.items():
        _draw(speed, dataset, f"{name}_wind_speed", color, label, "-")
        _draw(direction, dataset, f"{name}_wind_direction", color, label, "")
    speed.set_ylabel("Wind speed (m s⁻¹)")
    direction.set(ylabel="Wind from", ylim=(-10, 370), yticks=list(COMPASS), yticklabels=list(COMPASS.values()))
    speed.legend(frameon=False, fontsize=9, loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2, borderaxespad=0.2)
    _time_axis(direction, times)
    return figure


def _draw(axes: Axes, dataset: xr.Dataset, name: str, color: str, label: str, line: str) -> None:
    values, times = dataset[name], dataset["time"].to_numpy()
    few = values.where(dataset[f"qc_{name}"] != 0)
    axes.plot(times, values, color=color, lw=1.4, ls=line, marker="o", ms=4, label=label)
    axes.plot(times, few, color=color, ls="", marker="o", ms=4, mfc="white")
    axes.grid(color="0.9", lw=0.8)


def _time_axis(axes: Axes, times: np.ndarray) -> None:
    locator = mdates.AutoDateLocator(maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, show_offset=False))  # type: ignore[no-untyped-call]
    axes.set_xlim(times[0] - np.timedelta64(30, "m"), times[-1] + np.timedelta64(30, "m"))
    axes.set_xlabel("Time (UTC)")
