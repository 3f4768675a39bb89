"""Plot of a tide gauge's log. The figure is created without pyplot, so it does not stay open after the run."""

from typing import Any

import matplotlib.dates as mdates
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"


def water_level(dataset: xr.Dataset) -> Figure:
    """Plot the water level with its suspect values marked, and below it the water temperature and battery voltage."""
    figure = Figure(figsize=(9.6, 6.2), dpi=120)
    level, temperature = figure.subplots(2, sharex=True, height_ratios=(2, 1))
    figure.subplots_adjust(left=0.09, right=0.91, bottom=0.1, top=0.88, hspace=0.12)
    times = dataset["time"].to_numpy()
    days = " to ".join(dict.fromkeys(np.datetime_as_string(times[[0, -1]], unit="D")))
    level.set_title(f"{dataset.attrs['location_name']}: Water level", loc="left", fontweight="bold", y=1.07)
    level.set_title(days, loc="right", fontsize=11, y=1.07)
    _draw_level(level, dataset)
    voltage = temperature.twinx()
    for axes, name, label, color in (
        (temperature, "water_temperature", "Water temperature (°C)", ORANGE),
        (voltage, "battery_voltage", "Battery (V)", GREEN),
    ):
        axes.plot(times, dataset[name], color=color, lw=1.4)
        axes.set_ylabel(label, color=color)
        axes.tick_params(axis="y", colors=color)
    temperature.grid(color="0.9", lw=0.8)
    _time_axis(temperature)
    margin = np.timedelta64(0 if times[0] < times[-1] else 3, "m")
    temperature.set_xlim(times[0] - margin, times[-1] + margin)
    return figure


def _draw_level(axes: Axes, dataset: xr.Dataset) -> None:
    """Plot the water level that passed the quality checks, and mark the values that the gauge flags as suspect."""
    values = dataset["water_level"]
    suspect = values.where(dataset["instrument_flag"] == 1)
    axes.plot(dataset["time"].to_numpy(), values, color=BLUE, lw=1.6, label="Water level")
    if suspect.notnull().any():
        style: dict[str, Any] = {"ls": "", "marker": "o", "ms": 4, "mfc": "none"}
        axes.plot(dataset["time"].to_numpy(), suspect, color=ORANGE, label="flagged suspect by the gauge", **style)
    axes.set_ylabel(f"Water level above {dataset.attrs['datum']} (m)")
    axes.grid(color="0.9", lw=0.8)
    axes.legend(frameon=False, fontsize=9, loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2, borderaxespad=0.2)


def _time_axis(axes: Axes) -> None:
    locator = mdates.AutoDateLocator(maxticks=9)  # type: ignore[no-untyped-call]
    formatter = mdates.ConciseDateFormatter(locator, show_offset=False)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(formatter)
    axes.set_xlabel("Time (UTC)")
