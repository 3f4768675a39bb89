"""What people type, against real stacks."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from runner.testing.stacks import Stack, environment
from tests.support.stacks import SAMPLES, runner

BUOY = next((SAMPLES / "a2e_buoy_ingest" / "humboldt").glob("*.zip"))
TIDE = next((SAMPLES / "tide_gauge").glob("*/*.log"))


@pytest.fixture
def stack(embedded_stack: Stack) -> Stack:
    """What is asked here is the same on both backends."""
    return embedded_stack


@pytest.fixture(scope="module")
def told(embedded_stack: Stack) -> Stack:
    """With files whose ends are asked for; what fails takes its attempts at the same time."""
    files: dict[str, Path | bytes] = {
        "status/buoy.z06.00.20201201.000000.zip": b"not a zip",
        "status/unknown.bin": b"?",
        "logs/tide_20202112000000.log": b"half a li",
        f"logs/{TIDE.name}": TIDE,
        "logs/buoy.z06.00.20201202.000000.zip": b"not a zip",
    }
    for key, source in files.items():
        embedded_stack.put(source, key)
    for key in files:
        embedded_stack.final(key)
    return embedded_stack


def test_run_starts_a_stack_and_tells_what_came_out(tmp_path: Path):
    bad = tmp_path / "x.7z"
    bad.write_bytes(b"7z")
    done = runner("run", "--json", TIDE, bad, "--data", tmp_path / "data")
    assert done.returncode == 1, done.stderr
    good, skipped = json.loads(done.stdout)
    assert (good["status"], skipped["status"]) == ("succeeded", "skipped")
    assert good["inputs"][0]["key"] == f"tide_gauge/mcrl/{TIDE.name}"
    assert all((tmp_path / "data" / "outputs" / output["key"]).is_file() for output in good["outputs"])


def test_run_uses_the_stack_that_runs(stack: Stack):
    began = time.monotonic()
    done = runner("run", TIDE, "--data", stack.data)
    assert done.returncode == 0, done.stderr
    assert "starting a stack" not in done.stderr
    assert time.monotonic() - began < 10
    assert "✔ succeeded" in done.stdout
    assert str(stack.outputs) in done.stdout


@pytest.mark.parametrize(
    ("name", "shown", "why"),
    [
        ("a b\x01.log", r"a b\x01.log", r"contains the character '\x01', which S3 cannot list"),
        ("caf\udce9.log", "caf�.log", "is not valid UTF-8, which S3 requires"),
    ],
)
def test_run_sends_no_file_whose_name_s3_cannot_take(name: str, shown: str, why: str, tmp_path: Path):
    (tmp_path / name).write_bytes(TIDE.read_bytes())
    done = runner("run", tmp_path / name, "--data", tmp_path / "data")
    assert done.returncode == 2
    assert done.stderr == f"error: {shown} cannot be sent: its name {why}. Rename it.\n"


def test_status_and_logs_tell_of_every_file(told: Stack):
    states = {state["file"]: state for state in json.loads(runner("status", "--json", "--data", told.data).stdout)}
    assert states["status/buoy.z06.00.20201201.000000.zip"]["outcome"] == "dead-lettered"
    assert "(tried 3 times)" in states["status/buoy.z06.00.20201201.000000.zip"]["text"]
    assert states["status/unknown.bin"]["outcome"] == "skipped"
    reason = "No pipeline matches 'status/unknown.bin'. `runner logs` lists the known routes."
    assert states["status/unknown.bin"]["text"] == reason
    assert "skipped" in runner("status", "--data", told.data).stdout
    shown = runner("logs", "status/", "--failed", "--data", told.data).stdout
    assert shown.count("ArchiveError in phase inspect: buoy.z06.00.20201201.000000.zip cannot be read as a zip") == 1
    assert shown.count("the same error as before") == 2
    assert shown.count("next: drop a corrected archive") == 1
    assert "Traceback" not in shown
    assert "unknown.bin" not in shown


def test_logs_are_chosen_by_pipeline_and_failure_and_told_in_json(told: Stack):
    asked = ("logs", "logs/", "--json", "--pipeline", "tide_gauge", "--data", told.data)
    runs = [json.loads(line) for line in runner(*asked).stdout.splitlines()]
    assert [run["outcome"] for run in runs].count("succeeded") == 1
    failed = [json.loads(line) for line in runner(*asked, "--failed").stdout.splitlines()]
    assert failed == [run for run in runs if run["status"] == "failed"]
    assert [run["attempt"] for run in failed] == [1, 2, 3]
    assert {run["inputs"][0]["key"] for run in failed} == {"logs/tide_20202112000000.log"}
    assert "Traceback" in failed[0]["error"]["traceback"]
    shown = runner("logs", "logs/tide_20202112", "--data", told.data).stdout
    assert shown.count("pipelines/tide_gauge/readers.py:") >= 1
    assert shown.count("ValueError in phase process: tide_20202112000000.log does not begin with") == 1
    assert "frames in tsdat" in shown
    assert (
        shown.count("next: fix it, then run `runner retry`; `runner ingest FILE` runs the pipeline alone, in seconds")
        == 1
    )


def test_logs_in_json_follow(stack: Stack):
    command = [sys.executable, "-m", "runner", "logs", "follow/", "-f", "--json", "--failed", "--data", str(stack.data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout
        stack.put(b"torn", "follow/first/buoy.z06.00.20201202.000000.zip")
        try:
            assert json.loads(process.stdout.readline())["inputs"][0]["key"].startswith("follow/first/")
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_logs_follow_the_failures_of_one_pipeline(stack: Stack):
    bad = "tide_20202112000000.log"
    first, good, other, last = (
        f"chosen/{name}" for name in (f"first/{bad}", TIDE.name, "buoy.z06.00.20201202.000000.zip", f"last/{bad}")
    )
    asked = ["logs", "chosen/", "--follow", "--failed", "--pipeline", "tide_gauge", "--data", str(stack.data)]
    command = [sys.executable, "-m", "runner", *asked]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout
        try:
            stack.put(b"half a li", first)
            shown = [process.stdout.readline()]  # so it follows before the others come
            stack.put(TIDE, good)
            stack.put(b"torn", other)
            for key in (first, good, other):
                stack.final(key)
            stack.put(b"half a li", last)
            stack.final(last)
            while f"{last}: dead-lettered" not in shown[-1]:
                shown.append(process.stdout.readline())
                assert shown[-1], "it ended by itself"
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    # Every run that is shown has a line with its key and outcome.
    heads = [line.split("✗ ")[1].strip() for line in shown if "✗ " in line]
    outcomes = ("failed, attempt 1", "failed, attempt 2", "dead-lettered, attempt 3")
    assert heads[-3:] == [f"{last}: {outcome}" for outcome in outcomes]
    assert heads[:-3] == [f"{first}: {outcome}" for outcome in outcomes]
    assert not [line for line in shown if good in line or other in line]


def test_status_of_an_empty_folder_says_what_to_do(tmp_path: Path):
    done = runner("status", "--data", tmp_path)
    assert done.returncode == 0
    assert f"No file has come into {tmp_path / 'inbox'} yet." in done.stdout


def test_ingest_needs_no_stack(tmp_path: Path):
    done = runner("ingest", TIDE, BUOY, "--data", tmp_path)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "2 successes, 0 failures, 0 skipped"
    made = sorted(path.suffix for path in (tmp_path / "outputs").rglob("*.*") if path.is_file())
    assert made.count(".nc") == 2
    assert made.count(".png") == 4


def test_ingest_counts_failures_and_skips_and_looks_into_archives_as_the_lambda_does(tmp_path: Path):
    bad, odd = tmp_path / "buoy.z05.zip", tmp_path / "x.7z"
    bad.write_bytes(b"torn")
    odd.write_bytes(b"7z")
    leading_out = tmp_path / "buoy.z05.00.20201201.000000.zip"
    with zipfile.ZipFile(leading_out, "w") as archive:
        archive.writestr("../outside.csv", "x")
    done = runner("ingest", bad, odd, leading_out, "--data", tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "0 successes, 2 failures, 1 skipped"
    assert "Known routes:" in done.stdout
    assert "holds a path that leads out of its folder, '../outside.csv'. It was refused;" in done.stdout


def test_ingest_clumps_the_files_into_one_run(tmp_path: Path):
    done = runner("ingest", "--clump", TIDE, TIDE, "--data", tmp_path)
    assert done.stdout.splitlines()[-1] == "1 successes, 0 failures, 0 skipped"


def test_check_finds_nothing_in_the_shipped_project_and_everything_in_a_broken_one(tmp_path: Path):
    done = runner("check")
    assert "✔ template, routes, pipeline configs and ports are in order" in done.stdout or "port 4566" in done.stdout
    project = tmp_path / "project"
    for name in ("pipelines", "shared"):
        shutil.copytree(name, project / name)
    shutil.copy("template.yaml", project)
    config = project / "pipelines" / "tide_gauge" / "config" / "pipeline.yaml"
    config.write_text(config.read_text().replace("classname: pipelines.", "classname: pipelines.nowhere."))
    retriever = project / "pipelines" / "a2e_buoy_ingest" / "config" / "retriever.yaml"
    retriever.write_text("classname: [")
    done = runner("check", RUNNER_ROOT=str(project))
    assert done.returncode == 1
    lines = [line for line in done.stdout.splitlines() if "port 4566" not in line]
    assert len(lines) == 3
    assert any(
        "tide_gauge/config/pipeline.yaml: ModuleNotFoundError: No module named 'pipelines.nowhere" in line
        for line in lines
    )
    assert sum("a2e_buoy_ingest/config/pipeline_" in line for line in lines) == 2


def test_a_missing_file_is_told_by_name():
    done = runner("run", "no/such/file.zip")
    assert done.returncode == 2
    assert "no/such/file.zip" in done.stderr


def test_the_demo_shows_what_it_promises():
    done = subprocess.run(["scripts/demo"], capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    made = [Path(line) for line in lines if line.startswith("data/demo/outputs/")]
    assert sorted(path.suffix for path in made) == [".nc"] * 2 + [".png"] * 6
    assert all(path.is_file() for path in made)
