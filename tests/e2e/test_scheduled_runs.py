"""Schedules on both backends: a VAP over the outputs of two ingests, and an ingest that combines files."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import xarray as xr

from runner.aws import clients
from runner.aws.s3 import EPOCH_TAG, list_objects
from runner.cli import schedules
from runner.messages.run_record import FINAL
from runner.state.database import State
from runner.state.runs import Run
from runner.template.stack_template import StackTemplate
from runner.testing import assert_datasets_match
from runner.testing.stacks import Stack, eventually
from tests.support import buoy_csv
from tests.support.commands import command
from tests.support.stacks import BACKENDS, ROOT, SHIPPED, TIDE, Supervised, runner, running_on

DAY = (datetime(2020, 12, 1, tzinfo=UTC), datetime(2020, 12, 2, tzinfo=UTC))
TOGETHER = [f"tide_gauge/mcrl/tide_20200{month}12000000.log" for month in (1, 2)]  # 1 and 2 December


def send(stack: Stack, described: StackTemplate, body: str) -> None:
    sqs = clients.local_sqs(stack.endpoint_url)
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=described.queue_name)["QueueUrl"], MessageBody=body)


def ended(stack: Stack, schedule: str) -> list[Run]:
    """Return the final runs of a schedule."""
    return [run for run in stack.state.runs.after(0) if run.outcome in FINAL and run.record["schedule"] == schedule]


def with_ingest(project: Path) -> Path:
    """Copy the project with what docs/schedules.md adds, every minute, for the files of the last hour."""
    for name in ("pipelines", "shared", "utils"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/schedules.md").read_text(), re.DOTALL)
    (schedule,) = (block for block in blocks if block.startswith("  TideGaugeSchedule:"))
    (rights,) = (block for block in blocks if "s3:ListBucket" in block)
    text = (ROOT / "template.yaml").read_text()
    for old, new in (
        ("\nOutputs:\n", f"\n{schedule}\nOutputs:\n"),
        ("        # For Lambda itself", f"{rights}        # For Lambda itself"),
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


def minutely_on(backend: str, folder: Path) -> Iterator[Stack]:
    """Start a stack, wait for its first scheduled run, and drop files for the next one."""
    with running_on(backend, folder / "data", with_ingest(folder / "project")) as stack:
        eventually(lambda: ended(stack, "tide-gauge-daily"), "first scheduled run", 60)
        for key in TOGETHER:
            stack.put(TIDE, key)
        stack.put(b"not its own", "tide_gauge/mcrl/notes.txt")
        yield stack


@pytest.fixture(scope="module")
def minutely_embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    yield from minutely_on("embedded", tmp_path_factory.mktemp("minutely-embedded"))


@pytest.fixture(scope="module")
def minutely_docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    yield from minutely_on("docker", tmp_path_factory.mktemp("minutely-docker"))


@pytest.fixture(params=BACKENDS)
def minutely(request: pytest.FixtureRequest) -> Stack:
    """Return the stack of each backend; other tests run during the minute until the next scheduled run."""
    return request.getfixturevalue(f"minutely_{request.param}")


@pytest.fixture(scope="module", params=["embedded", "docker"])
def stack(request: pytest.FixtureRequest, described: StackTemplate) -> Stack:
    """Return the shared stack of each backend, after sending everything that the tests wait for."""
    made: Stack = request.getfixturevalue(f"{request.param}_stack")
    for name in buoy_csv.FILES.values():
        made.put(buoy_csv.SAMPLES / name, f"a2e_buoy_ingest/vap/{Path(name).name}")
    window = (datetime(1999, 12, 1, tzinfo=UTC), datetime(1999, 12, 2, tzinfo=UTC))
    long_ago = schedules.message(described.schedules, "buoy-wind-hourly", *window, datetime.now(UTC))
    send(made, described, long_ago.replace('"buoy-wind-hourly"', '"long-ago"'))
    nowhere = described.schedules[0].message(datetime.now(UTC)).replace("buoy_wind_hourly", "nobody")
    send(made, described, nowhere.replace('"buoy-wind-hourly"', '"nowhere"'))
    return made


def test_a_rate_starts_immediately_and_skips_without_files(minutely: Stack):
    run = ended(minutely, "tide-gauge-daily")[0]
    reason = str(run.record["reason"])
    assert run.outcome == "skipped"
    assert reason.startswith(
        "No object for pipelines/tide_gauge/config/pipeline.yaml arrived below "
        f"s3://{SHIPPED.source_bucket}/tide_gauge/ from "
    )


def ingested(stack: Stack) -> Stack:
    """Return a stack in which the VAP's inputs are in the bucket and in the folder."""
    for name in buoy_csv.FILES.values():
        run = stack.final(f"a2e_buoy_ingest/vap/{Path(name).name}")
        assert run.outcome == "succeeded"
        stack.mirrored(run)
    return stack


def test_a_vap_reads_what_the_ingests_stored(stack: Stack, described: StackTemplate, alone: xr.Dataset):
    ingested(stack)
    before = len(ended(stack, "buoy-wind-hourly"))
    body = schedules.message(described.schedules, "buoy-wind-hourly", *DAY, datetime.now(UTC))
    send(stack, described, body)
    run = eventually(lambda: ended(stack, "buoy-wind-hourly")[before:], "final run of the VAP", 60)[0]
    assert run.outcome == "succeeded", run.record["error"]
    assert run.record["window"] == {"begin": "2020-12-01T00:00:00Z", "end": "2020-12-02T00:00:00Z"}
    assert (run.record["location"], run.record["inputs"]) == ("california", [])
    assert run.record["warnings"] == []
    made, plot = sorted(stack.mirrored(run), key=lambda path: path.suffix)
    assert plot.read_bytes()[:4] == b"\x89PNG"
    assert_datasets_match(made, alone, ignore_attributes=["history", "code_version"])


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    """The same by tsdat on the file system."""
    folder = tmp_path_factory.mktemp("alone")
    for location, name in buoy_csv.FILES.items():
        config = f"pipelines/a2e_buoy_ingest/config/pipeline_{location}.yaml"
        buoy_csv.load(config, folder).run([str(buoy_csv.SAMPLES / name)])
    buoy_csv.load("pipelines/buoy_wind_hourly/config/pipeline.yaml", folder).run(["20201201.000000", "20201202.000000"])
    return xr.load_dataset(next(folder.rglob("california.*.nc")))


def test_a_vap_waits_until_what_it_reads_is_put_back(stack: Stack, described: StackTemplate):
    s3, bucket = clients.local_s3(ingested(stack).endpoint_url), described.destination_bucket
    stored = [found.key for found in list_objects(s3, bucket, "data/") if "buoy_z0" in found.key]
    assert len(stored) >= 2
    assert all((stack.outputs / key).is_file() for key in stored)
    # What is so when LocalStack has come back, and the poller has not yet put back what is in the folder.
    tags = [tag for tag in s3.get_bucket_tagging(Bucket=bucket)["TagSet"] if tag["Key"] != EPOCH_TAG]
    for key in stored:
        s3.delete_object(Bucket=bucket, Key=key)
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    body = schedules.message(described.schedules, "buoy-wind-hourly", *DAY, datetime.now(UTC))
    send(stack, described, body.replace('"buoy-wind-hourly"', '"waits"'))
    run = eventually(lambda: ended(stack, "waits"), "final run of the VAP", 60)[0]
    assert run.outcome == "succeeded", run.record["reason"]
    assert {found.key for found in list_objects(s3, bucket, "data/")} >= set(stored)


def test_a_window_in_which_nothing_is_stored_is_a_named_skip(stack: Stack):
    (run,) = eventually(lambda: ended(stack, "long-ago"), "final run of the VAP", 60)
    assert (run.outcome, run.record["reason"]) == (
        "skipped",
        "No data of humboldt.buoy_z05-10m.a1 or morro.buoy_z06-10m.a1 is stored from 1999-12-01T00:00:00Z to "
        "1999-12-02T00:00:00Z. Run the pipeline that produces it, then this window "
        "again: `runner trigger`.",
    )


def test_a_missing_config_is_dead_lettered(stack: Stack, described: StackTemplate):
    (run,) = eventually(lambda: ended(stack, "nowhere"), "final run", 60)
    assert (run.outcome, run.attempt) == ("dead-lettered", described.max_receive_count)
    error = run.record["error"]
    assert error
    assert (error["phase"], error["type"]) == ("route", "UnroutableError")
    assert error["message"].startswith("There is no pipeline config 'pipelines/nobody/config/pipeline.yaml'. Known")
    shown = json.loads(command("failures", "--json", "--data", stack.data).stdout)
    (failure,) = [row for row in shown if row["file"].startswith("nowhere ")]
    again = command("retry", failure["id"], "--data", stack.data)
    assert again.returncode == 0, again.stdout + again.stderr
    eventually(lambda: len(ended(stack, "nowhere")) == 2, "second final run", 60)


def test_a_scheduled_ingest_combines_files(minutely: Stack):
    run = eventually(
        lambda: next((run for run in ended(minutely, "tide-gauge-daily") if len(run.record["inputs"]) == 2), None),
        "scheduled run over both files", 100,
    )  # fmt: skip
    assert run.outcome == "succeeded", run.record["error"]
    assert [item["key"] for item in run.record["inputs"]] == TOGETHER
    made = next(path for path in minutely.mirrored(run) if path.suffix == ".nc")
    with xr.open_dataset(made) as dataset:
        assert dataset.sizes["time"] == 480
        assert [str(time)[:10] for time in dataset["time"].values[[0, -1]]] == ["2020-12-01", "2020-12-02"]
    of_files = [run.record for run in minutely.state.runs.after(0) if run.record["inputs"]]
    assert all(record["schedule"] == "tide-gauge-daily" for record in of_files)  # none ran on arrival


def test_trigger_runs_a_schedule_before_and_after_a_restart(minutely_embedded: Supervised):
    stack, data = minutely_embedded, minutely_embedded.data
    shown = ("trigger", "buoy-wind-hourly", "--data", data, "--begin", "2020-12-01", "--end", "2020-12-02", "--json")
    keys = [f"x/a2e_buoy_ingest/{name}" for name in buoy_csv.FILES.values()]
    for key, name in zip(keys, buoy_csv.FILES.values(), strict=True):
        stack.put(buoy_csv.SAMPLES / name, key)
    for key in keys:
        stack.final(key)
    first = runner(*shown)
    assert first.returncode == 0, first.stdout + first.stderr
    stack.stop()
    stack.start()  # LocalStack restarts empty, and the stack restores its objects
    stack.state = State(data / "state")
    s3, kept = clients.local_s3(stack.endpoint_url), [path for path in stack.outputs.rglob("*") if path.is_file()]
    eventually(lambda: len(list(list_objects(s3, SHIPPED.destination_bucket, ""))) == len(kept), "outputs in S3")
    second = runner(*shown)
    assert second.returncode == 0, second.stdout + second.stderr
    (one,), (other,) = json.loads(first.stdout), json.loads(second.stdout)
    assert [output["key"] for output in one["outputs"]] == [output["key"] for output in other["outputs"]]
    shown = command("status", "--data", data).stdout
    assert "buoy-wind-hourly 2020-12-01T00:00:00Z to 2020-12-02T00:00:00Z" in shown
    logs = command("logs", "buoy-wind", "--data", data).stdout
    assert logs.count("succeeded, attempt 1") == 2
