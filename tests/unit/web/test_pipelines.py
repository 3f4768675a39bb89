"""Pipelines: routes and schedules as they are configured, the latest runs, and which pipeline takes a name."""

import re
from pathlib import Path

from tests.support.live_page import add_run, served


def test_routes_schedules_and_latest_runs(tmp_path: Path):
    for number in range(12):
        add_run(tmp_path, f"{number}.log", pipeline="tide_gauge", durations_s={"total": 1.0 + number})
    add_run(tmp_path, "x.log", "failed", pipeline="tide_gauge")
    with served(tmp_path) as site:
        found, text = site.json("/pipelines.json"), site.text("/pipelines")
    places = {(route["pipeline"], route["location"]) for route in found["pipelines"]}
    assert {("a2e_buoy_ingest", "humboldt"), ("a2e_buoy_ingest", "morro"), ("tide_gauge", None)} <= places
    assert [run["seconds"] for run in found["runs"]["tide_gauge"]] == [*(4.0 + n for n in range(9)), None]
    assert found["runs"]["buoy_wind_hourly"] == []
    (schedule,) = found["schedules"]
    assert schedule["config"] == "pipelines/buoy_wind_hourly/config/pipeline.yaml"
    assert "the longest took 12.0 s" in text
    assert len(re.findall("<rect ", text)) == 10


def test_a_name_is_answered_without_javascript(tmp_path: Path):
    with served(tmp_path) as site:
        taken = site.text("/pipelines?name=a2e_buoy_ingest/humboldt/buoy.z05.00.20201201.000000.zip")
        not_taken = site.text("/pipelines?name=%3Cb%3E")
    assert "a2e_buoy_ingest/humboldt</p>" in taken
    assert "No pipeline takes it.</p>" in not_taken
    assert "<b>" not in not_taken


def test_routes_that_are_invalid_are_shown_as_the_problem(tmp_path: Path):
    config = tmp_path / "project/pipelines/a/config/pipeline.yaml"
    config.parent.mkdir(parents=True)
    config.write_text("triggers: [")
    with served(tmp_path, RUNNER_ROOT=str(tmp_path / "project")) as site:
        found = site.json("/pipelines.json")
        assert site.ask("/pipelines")[0] == 200
    assert found["pipelines"] == []
    assert "pipelines/a/config/pipeline.yaml" in found["problem"]


def test_what_runs_a_command_needs_the_token(tmp_path: Path):
    with served(tmp_path) as site:
        assert site.ask("/pipelines/check.json", "POST")[0] == 403
        assert site.ask("/pipelines/check.json")[0] == 405
        assert site.ask("/schedules/buoy-wind-hourly/run", "POST")[0] == 403
        status, _, body = site.post("/schedules/nothing/run")
    assert status == 404
    assert b"There is no schedule &#39;nothing&#39; in template.yaml." in body
