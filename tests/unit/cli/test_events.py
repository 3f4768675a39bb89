"""The line that `runner events` prints for an event."""

from pathlib import Path

import pytest

from runner.cli.events import summary


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("s3-put", "a2e_buoy_ingest/humboldt/buoy.z05.00.20201201.000000.zip"),
        ("s3-removed", "ObjectRemoved:Delete (nothing to run)"),
        ("schedule-vap", "buoy-wind-hourly 2020-12-01T00:00:00Z to 2020-12-02T00:00:00Z"),
        ("eventbridge-schedule", 'Unknown form of event: {"version": "0",'),
    ],
)
def test_a_summary_names_what_the_event_is_about(name: str, line: str):
    assert summary(Path(f"tests/events/{name}.json").read_text()).startswith(line)
    assert summary(None) == "too large to keep"
