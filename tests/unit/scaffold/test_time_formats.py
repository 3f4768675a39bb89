"""Times that more than one format seems to fit."""

import pandas as pd
import pytest

from runner.scaffold import time_formats


@pytest.mark.parametrize(
    ("text", "dates", "clocks", "times"),
    [
        ("2024-05-01", "%Y-%m-%d", None, None),
        ("1530", None, "%H%M", None),
        ("153045", None, "%H%M%S", None),
        ("202405011530", None, None, "%Y%m%d%H%M"),
        ("20240501153045", None, None, "%Y%m%d%H%M%S"),
        ("01.05.2024 15:30", None, None, "%d.%m.%Y %H:%M"),
        ("2024-05-01T15:30:00Z", None, None, "%Y-%m-%dT%H:%M:%S%z"),
    ],
)
def test_the_format_of_a_text(text: str, dates: str | None, clocks: str | None, times: str | None) -> None:
    values = pd.Series([text, text])
    assert dates is None or time_formats.of_dates(values)[0] == dates
    assert clocks is None or time_formats.of_clocks(values)[0] == clocks
    assert times is None or times in time_formats.of_times(values)
    assert dates is None or not time_formats.of_times(values)
