"""Generate a synthetic day of tide gauge data, in the format that pipelines/tide_gauge/README.md defines."""

import math
import random

INTERVAL_S, ROWS = 360, 240
MEAN_M = 1.42  # above the datum
# The main tidal constituents in the Strait of Juan de Fuca: amplitude (m), period (h), hour of the first high water.
CONSTITUENTS = ((0.58, 12.4206, 4.1), (0.15, 12.0, 5.0), (0.76, 23.9345, 13.2), (0.44, 25.8193, 11.0))
HEADER = """\
TIDE GAUGE LOG 1
station: MCRL, Sequim Bay, Washington
instrument: acoustic tide gauge, made up for this sample
datum: MLLW
columns: offset_s water_level_m sigma_m water_temperature_degC battery_V flag
"""
GOOD, SUSPECT, BAD = 0, 1, 2


def day_of_log() -> str:
    """Return the text of the log."""
    noise = random.Random(7)  # noqa: S311  waves, not secrets
    rows = [_row(i, noise) for i in range(ROWS)]
    for i in (61, 62, 63):  # a passing ship
        rows[i][2], rows[i][5] = 0.412 + i / 1000, SUSPECT
    rows[150][1], rows[150][5] = 9.999, BAD
    rows[151][1], rows[151][5] = 0.0, BAD
    rows[200][1] = math.nan
    text = "".join("{:6.0f} {:7.3f} {:6.3f} {:6.2f} {:6.2f} {:.0f}\n".format(*row) for row in rows)
    return f"{HEADER}{text}end {len(rows)}\n"


def _row(i: int, noise: random.Random) -> list[float]:
    hours = i * INTERVAL_S / 3600
    level = MEAN_M + sum(size * math.cos(2 * math.pi * (hours - high) / period) for size, period, high in CONSTITUENTS)
    sunlight = max(0.0, math.cos(2 * math.pi * (hours - 20.2) / 24) - 0.35)
    return [
        i * INTERVAL_S,
        level + noise.gauss(0, 0.006),
        0.012 + abs(noise.gauss(0, 0.004)),
        8.7 + 0.25 * sunlight - 0.1 * math.cos(2 * math.pi * (hours - 4) / 12.4206) + noise.gauss(0, 0.01),
        11.42 + 0.035 * abs(hours - 16) + 1.1 * sunlight + noise.gauss(0, 0.01),
        GOOD,
    ]
