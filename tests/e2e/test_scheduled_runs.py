"""Schedules on both backends: a VAP over what two ingests stored, and an ingest that takes together what came."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import xarray as xr
from conftest import ROOT, SAMPLES, runner, running, running_on

from runner import aws, trigger
from runner.backends import Stack, eventually
from runner.history import FINAL, Run
from runner.listing import listed
from runner.template import StackTemplate
from runner.testing import assert_datasets_match
from tests.unit import buoy_csv

DAY = (datetime(2020, 12, 1, tzinfo=UTC), datetime(2020, 12, 2, tzinfo=UTC))
TIDE = next((SAMPLES / "tide_gauge").glob("*/*.log"))


def send(stack: Stack, described: StackTemplate, body: str) -> None:
    sqs = aws.local_sqs(stack.endpoint_url)
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=described.queue_name)["QueueUrl"], MessageBody=body)


def ended(stack: Stack, schedule: str) -> list[Run]:
    """The runs of a schedule that came to an end."""
    return [run for run in stack.history.runs(outcomes=FINAL) if run.record["schedule"] == schedule]


def test_a_vap_reads_what_the_ingests_stored(stack: Stack, described: StackTemplate, tmp_path: Path):
    for name in buoy_csv.FILES.values():
        key = f"a2e_buoy_ingest/vap/{Path(name).name}"
        stack.put(buoy_csv.SAMPLES / name, key)
        assert stack.final(key).outcome == "succeeded"
    before = len(ended(stack, "buoy-wind-hourly"))
    body = trigger.message(described.schedules, "buoy-wind-hourly", *DAY, datetime.now(UTC))
    send(stack, described, body)
    run = eventually(lambda: ended(stack, "buoy-wind-hourly")[before:], "end of the VAP", 60)[0]
    assert run.outcome == "succeeded", run.record["error"]
    assert run.record["window"] == {"begin": "2020-12-01T00:00:00Z", "end": "2020-12-02T00:00:00Z"}
    assert (run.record["location"], run.record["inputs"]) == ("california", [])
    assert run.record["warnings"] == []
    made, plot = sorted(stack.mirrored(run), key=lambda path: path.suffix)
    assert plot.read_bytes()[:4] == b"\x89PNG"
    assert_datasets_match(made, alone(tmp_path), ignore_attributes=["history", "code_version"])


def alone(folder: Path) -> xr.Dataset:
    """The same by tsdat on the file system."""
    for location, name in buoy_csv.FILES.items():
        config = f"pipelines/a2e_buoy_ingest/config/pipeline_{location}.yaml"
        buoy_csv.load(config, folder).run([str(buoy_csv.SAMPLES / name)])
    buoy_csv.load("pipelines/buoy_wind_hourly/config/pipeline.yaml", folder).run(["20201201.000000", "20201202.000000"])
    return xr.load_dataset(next(folder.rglob("california.*.nc")))


def test_a_window_in_which_nothing_is_stored_is_a_named_skip(stack: Stack, described: StackTemplate):
    window = (datetime(1999, 12, 1, tzinfo=UTC), datetime(1999, 12, 2, tzinfo=UTC))
    body = trigger.message(described.schedules, "buoy-wind-hourly", *window, datetime.now(UTC))
    send(stack, described, body.replace('"buoy-wind-hourly"', '"long-ago"'))
    (run,) = eventually(lambda: ended(stack, "long-ago"), "end of the VAP", 60)
    assert (run.outcome, run.record["reason"]) == (
        "skipped",
        "Nothing is stored of humboldt.buoy_z05-10m.a1 or morro.buoy_z06-10m.a1 from 1999-12-01T00:00:00Z to "
        "1999-12-02T00:00:00Z. Run what makes it, then this window again: `runner trigger`.",
    )


def test_a_config_that_is_not_there_goes_to_the_dead_letters(stack: Stack, described: StackTemplate):
    body = described.schedules[0].message(datetime.now(UTC))
    send(stack, described, body.replace("buoy_wind_hourly", "nobody").replace('"buoy-wind-hourly"', '"nowhere"'))
    (run,) = eventually(lambda: ended(stack, "nowhere"), "end of the run", 60)
    assert (run.outcome, run.attempt) == ("dead-lettered", described.max_receive_count)
    error = run.record["error"]
    assert error
    assert (error["phase"], error["type"]) == ("route", "UnroutableError")
    assert error["message"].startswith("There is no pipeline config 'pipelines/nobody/config/pipeline.yaml'. Known")
    told = json.loads(runner("failures", "--json", "--data", stack.data).stdout)
    (failure,) = [row for row in told if row["file"].startswith("nowhere ")]
    again = runner("retry", failure["id"], "--data", stack.data)
    assert again.returncode == 0, again.stdout + again.stderr
    eventually(lambda: len(ended(stack, "nowhere")) == 2, "second end of the run", 60)


def test_the_command_runs_a_schedule_at_once_and_after_a_restart(tmp_path: Path):
    data = tmp_path / "data"
    shown = ("trigger", "buoy-wind-hourly", "--data", data, "--begin", "2020-12-01", "--end", "2020-12-02", "--json")
    with running(data) as stack:
        for name in buoy_csv.FILES.values():
            stack.put(buoy_csv.SAMPLES / name, f"a2e_buoy_ingest/{name}")
            stack.final(f"a2e_buoy_ingest/{name}")
        first = runner(*shown)
        assert first.returncode == 0, first.stdout + first.stderr
    (data / "up.log").unlink()  # it says that the first one was ready
    with running(data) as stack:  # LocalStack forgot it all, and the stack puts it back
        s3, keys = aws.local_s3(stack.endpoint_url), [path for path in stack.outputs.rglob("*") if path.is_file()]
        eventually(lambda: len(list(listed(s3, "tsdat-pipeline-outputs", ""))) == len(keys), "outputs in S3")
        second = runner(*shown)
    assert second.returncode == 0, second.stdout + second.stderr
    (one,), (other,) = json.loads(first.stdout), json.loads(second.stdout)
    assert [output["key"] for output in one["outputs"]] == [output["key"] for output in other["outputs"]]
    told = runner("status", "--data", data).stdout
    assert "buoy-wind-hourly 2020-12-01T00:00:00Z to 2020-12-02T00:00:00Z" in told
    logs = runner("logs", "buoy-wind", "--data", data).stdout
    assert logs.count("succeeded, attempt 1") == 2


def with_ingest(project: Path) -> Path:
    """A copy of the project with the schedule of docs/schedules.md, each minute, on what came in the hour before."""
    for name in ("pipelines", "shared", "utils"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    block = re.search(r"```yaml\n(  TideGaugeSchedule:.*?)```", (ROOT / "docs/schedules.md").read_text(), re.DOTALL)
    assert block
    text = (ROOT / "template.yaml").read_text()
    for old, new in (
        ("\nOutputs:\n", f"\n{block[1]}\nOutputs:\n"),
        ("Default: DISABLED", "Default: ENABLED"),
        ("cron(0 1 * * ? *)", "rate(1 minute)"),
        ('"window": {"length_h": 24, "round_h": 24},\n          "bucket"',
         '"window": {"length_h": 1, "round_h": 0},\n          "bucket"'),
        ('  SourcePrefix:\n    Type: String\n    Default: ""', "  SourcePrefix:\n    Type: String\n    Default: x/"),
    ):  # fmt: skip
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (project / "template.yaml").write_text(text)
    return project


@pytest.fixture(scope="module", params=["embedded", "docker"])
def minutely(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("minutely")
    with running_on(request.param, folder / "data", with_ingest(folder / "project")) as stack:
        yield stack


def test_a_rate_begins_at_once_and_tells_that_nothing_came(minutely: Stack):
    run = eventually(lambda: ended(minutely, "tide-gauge-daily"), "first scheduled run", 60)[0]
    reason = str(run.record["reason"])
    assert run.outcome == "skipped"
    assert reason.startswith(
        "No object for pipelines/tide_gauge/config/pipeline.yaml came below "
        "s3://tsdat-pipeline-inputs/tide_gauge/ from "
    )


def test_a_scheduled_ingest_takes_together_what_came(minutely: Stack):
    names = ["tide_20200112000000.log", "tide_20200212000000.log"]  # 1 and 2 December
    for name in names:
        minutely.put(TIDE, f"tide_gauge/mcrl/{name}")
    minutely.put(b"not its own", "tide_gauge/mcrl/notes.txt")
    run = eventually(
        lambda: next((run for run in ended(minutely, "tide-gauge-daily") if len(run.record["inputs"]) == 2), None),
        "scheduled run over both files", 100,
    )  # fmt: skip
    assert run.outcome == "succeeded", run.record["error"]
    assert [item["key"] for item in run.record["inputs"]] == [f"tide_gauge/mcrl/{name}" for name in names]
    made = next(path for path in minutely.mirrored(run) if path.suffix == ".nc")
    with xr.open_dataset(made) as dataset:
        assert dataset.sizes["time"] == 480
        assert [str(time)[:10] for time in dataset["time"].values[[0, -1]]] == ["2020-12-01", "2020-12-02"]
    of_files = [run.record for run in minutely.history.runs() if run.record["inputs"]]
    assert all(record["schedule"] == "tide-gauge-daily" for record in of_files)  # none ran when it came
