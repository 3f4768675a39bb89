"""A dropped file becomes NetCDF and plots through S3, the queue and the Lambda emulator."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from runner.aws import clients
from runner.state.runs import Run
from runner.template.stack_template import StackTemplate
from runner.testing import assert_datasets_match
from runner.testing.stacks import Stack, eventually
from tests.support import buoy_csv
from tests.support.outcomes import messages, objects_of
from tests.support.stacks import REAL, SAMPLES, TIDE, queue_depths, runner

SAMPLE_BUOYS = sorted((SAMPLES / "a2e_buoy_ingest").glob("*/*.zip"))
BUOYS = SAMPLE_BUOYS + sorted((REAL / "a2e_buoy_ingest").glob("*/*.zip"))
HUMBOLDT = next(path for path in SAMPLE_BUOYS if "humboldt" in path.parts)
WAYS = ["copy", "move", "append", "rename", "reopen"]
# key, content, outcome, and a part of the reason
BAD = [
    ("lidar/x.7z", b"7z", "skipped", "No pipeline matches 'lidar/x.7z'. Known routes:"),
    ("a2e_buoy_ingest/bad/buoy.z05.00.20201203.000000.zip", b"PK\x03\x04 torn", "dead-lettered", "zip"),
    ("a2e_buoy_ingest/bad/buoy.z05.00.20201204.000000.zip", b"", "dead-lettered", "empty"),
    ("tide_gauge/mcrl/bad/tide_20202512000000.log", b"", "dead-lettered", "empty"),
    ("tide_gauge/mcrl/bad/tide_20202612000000.log", b"half a li", "dead-lettered", "tide_20202612000000.log"),
]
BROKEN = "a2e_buoy_ingest/dlq/buoy.z05.00.20201205.000000.zip"
OVERWRITTEN = f"tide_gauge/mcrl/overwritten/{TIDE.name}"
LARGE = bytes(range(256)) * 160_000  # 41 MB
# All files are dropped at once.
PATIENCE_S = 150


@pytest.fixture(scope="module", params=["embedded", "docker"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """Drop most of the files at once on the shared stack of each backend."""
    made: Stack = request.getfixturevalue(f"{request.param}_stack")
    folder = tmp_path_factory.mktemp("ways")
    with ThreadPoolExecutor(len(WAYS)) as pool:
        deliveries = [pool.submit(deliver, made.inbox / key_of_way(way), way, folder) for way in WAYS]
        for source in SAMPLE_BUOYS:
            made.put(source, key_of_buoy(source))
        for key, content, *_ in BAD:
            made.put(content, key)
        made.put(b"not a zip", BROKEN)
        made.put(TIDE, OVERWRITTEN)
        for name in (".hidden.csv", "buoy.z05.x.zip.part", "buoy.z05.y.zip~", ".buoy.z05.zip.swp", "unroutable.bin"):
            made.put(b"x", f"ignored/{name}")
        made.put(LARGE, "large/file.bin")
        for one in deliveries:
            one.result()
    return made


def key_of_buoy(source: Path) -> str:
    origin = "real" if REAL in source.parents else "sample"
    return f"a2e_buoy_ingest/{source.parent.name}/{origin}/{source.name}"


def key_of_way(way: str) -> str:
    return f"tide_gauge/mcrl/{way}/{TIDE.name}"


def deliver(target: Path, way: str, folder: Path) -> None:
    """Write the tide gauge's file into the inbox in a certain way."""
    target.parent.mkdir(parents=True)
    content = TIDE.read_bytes()
    if way == "copy":
        shutil.copyfile(TIDE, target)
    elif way == "move":
        shutil.copyfile(TIDE, folder / TIDE.name)
        shutil.move(folder / TIDE.name, target)
    elif way == "rename":
        partial = target.with_suffix(".part")
        shutil.copyfile(TIDE, partial)
        time.sleep(1.5)  # longer than the settle time: only its name prevents an upload
        partial.rename(target)
    elif way == "append":
        with target.open("wb", buffering=0) as file:
            for start in range(0, len(content), len(content) // 5 + 1):
                file.write(content[start : start + len(content) // 5 + 1])
                time.sleep(0.5)
    else:  # opened, written and closed in parts, with pauses below the settle time
        target.touch()
        for start in range(0, len(content), len(content) // 5 + 1):
            time.sleep(0.3)
            with target.open("ab") as file:
                file.write(content[start : start + len(content) // 5 + 1])


def wait_after(run: Run, quiet_s: float) -> None:
    """Wait until some time after the end of a run, in which nothing must happen."""
    time.sleep(max(0.0, run.ended_at + quiet_s - time.time()))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], xr.Dataset]:
    """Return a function that runs tsdat alone on a buoy's file, once for both backends."""
    return cache(lambda source: buoy_csv.run(source.parent.name, [source], tmp_path_factory.mktemp("alone")))


@pytest.mark.parametrize("source", BUOYS, ids=lambda path: "/".join(path.parts[-5:-1]))
def test_a_dropped_buoy_file_becomes_netcdf_and_plots(
    stack: Stack, source: Path, alone: Callable[[Path], xr.Dataset], described: StackTemplate
):
    key = key_of_buoy(source)
    if source not in SAMPLE_BUOYS:  # its outputs replace those of the sample
        stack.final(key_of_buoy(SAMPLES / source.relative_to(REAL)), patience_s=PATIENCE_S)
        stack.put(source, key)
    run = stack.final(key, patience_s=PATIENCE_S)
    assert run.outcome == "succeeded", run.record["error"]
    assert (run.record["pipeline"], run.record["location"]) == ("a2e_buoy_ingest", source.parent.name)
    paths = stack.mirrored(run)
    assert sorted(path.suffix for path in paths) == [".nc", ".png", ".png", ".png"]
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in paths if path.suffix == ".png")
    assert [path.stat().st_size for path in paths] == [output["size"] for output in run.record["outputs"]]
    with xr.open_dataset(next(path for path in paths if path.suffix == ".nc")) as dataset:
        assert dataset.attrs["inputs"] == f"s3://{described.source_bucket}/{key}"
        compare_with_csv(dataset, source)
        compare_with_tsdat_alone(dataset, alone(source))


def compare_with_csv(dataset: xr.Dataset, source: Path) -> None:
    """Compare every value and every quality bit with the archive's CSV files."""
    times, values, bits = buoy_csv.expected(buoy_csv.members(source))
    np.testing.assert_array_equal(dataset["time"].to_numpy(), times.to_numpy())
    assert values.keys() == buoy_csv.VARIABLES.keys()
    for name, wanted in values.items():
        rtol = 1e-6 if name == "pressure" else 0  # mbar to hPa multiplies by nearly one
        np.testing.assert_allclose(dataset[name], wanted.astype(dataset[name].dtype), rtol=rtol, err_msg=name)
        np.testing.assert_array_equal(dataset[f"qc_{name}"], bits[name], err_msg=name)


def compare_with_tsdat_alone(dataset: xr.Dataset, wanted: xr.Dataset) -> None:
    """Compare names, dimensions, values, attributes, types and fill values with tsdat's own."""
    assert list(dataset.variables) == list(wanted.variables)
    # The image has no git repository, and so no code version.
    assert_datasets_match(dataset, wanted, ignore_attributes={"history", "inputs", "code_version"})


def test_the_run_record_is_complete(stack: Stack):
    record = stack.final(key_of_buoy(HUMBOLDT), patience_s=PATIENCE_S).record
    assert record["inputs"][0]["size"] == HUMBOLDT.stat().st_size
    assert record["request_id"]
    assert {"download", "inspect", "load", "process", "save", "plot", "upload", "total"} == set(record["durations_s"])
    assert sum(v for k, v in record["durations_s"].items() if k != "total") == pytest.approx(
        record["durations_s"]["total"], abs=0.05
    )
    assert record["qc"]["current_speed"]["samples"] == 144 * 50
    assert record["qc"]["current_speed"]["flagged"]["Value is above valid_range"] > 0
    assert record["config"] == "pipelines/a2e_buoy_ingest/config/pipeline_humboldt.yaml"


def test_a_file_is_processed_once_however_it_is_written(stack: Stack):
    size = TIDE.stat().st_size
    for way in WAYS:
        key = key_of_way(way)
        run = stack.final(key, patience_s=PATIENCE_S)
        if way == "reopen":  # its first part was closed, and may have run as a file of its own
            run = eventually(lambda key=key: _succeeded(stack, key, size), f"success of {key}")
        else:
            wait_after(run, 1.5)
            assert len(stack.runs_of(key)) == 1, way
        assert run.outcome == "succeeded", (way, run.record["error"])
        assert run.record["inputs"][0]["size"] == size, way


def _succeeded(stack: Stack, key: str, size: int):
    runs = [run for run in stack.runs_of(key) if run.outcome == "succeeded" and run.record["inputs"][0]["size"] == size]
    return runs[-1] if runs else None


def test_new_content_under_the_same_name_is_processed_and_a_touch_is_not(stack: Stack):
    key, target = OVERWRITTEN, stack.inbox / OVERWRITTEN
    first = stack.final(key, patience_s=PATIENCE_S)
    target.touch()
    time.sleep(2.5)  # the settle time, and a scan that finds the same content
    assert len(stack.runs_of(key)) == 1
    target.write_bytes(TIDE.read_bytes().replace(b"-0.105", b"-0.106"))
    second = stack.final(key, count=2)
    assert first.record["inputs"][0]["etag"] != second.record["inputs"][0]["etag"]
    assert second.outcome == "succeeded", second.record["error"]


def test_bad_files_are_skipped_or_dead_lettered_with_a_reason(stack: Stack, described: StackTemplate):
    for key, content, outcome, text in BAD:
        assert (stack.inbox / key).read_bytes() == content
        run = stack.final(key, patience_s=PATIENCE_S)
        assert run.outcome == outcome, key
        reason = run.record["reason"] or (run.record["error"] or {}).get("message", "")
        assert text in reason, key
        if outcome == "dead-lettered":
            assert run.attempt == described.max_receive_count, key
            assert "Traceback" in (run.record["error"] or {}).get("traceback", ""), key


def test_failed_files_are_in_the_dead_letter_queue(stack: Stack, described: StackTemplate):
    outcomes = {key: outcome for key, _, outcome, _ in BAD} | {BROKEN: "dead-lettered"}
    for key, outcome in outcomes.items():
        assert stack.final(key, patience_s=PATIENCE_S).outcome == outcome

    def letters() -> Counter[str]:
        bodies = messages(stack, described.dead_letter_queue_name)
        return Counter(key for body in bodies for key, _ in objects_of(body) if key in outcomes)

    wanted = Counter(key for key, outcome in outcomes.items() if outcome == "dead-lettered")
    eventually(lambda: letters() == wanted, "one dead letter of each")
    eventually(lambda: queue_depths(stack, described)[described.queue_name] == 0, "empty queue")


def test_unfinished_files_are_not_uploaded(stack: Stack):
    wait_after(stack.final("ignored/unroutable.bin", patience_s=PATIENCE_S), 2.5)
    assert not [run for run in stack.state.runs.after(0) for i in run.record["inputs"] if "ignored/" in i["key"]][1:]


def test_a_large_file_is_uploaded_in_parts(stack: Stack, described: StackTemplate):
    etag = stack.final("large/file.bin", patience_s=PATIENCE_S).record["inputs"][0]["etag"]
    assert etag is not None
    assert etag.endswith("-3")
    stored = clients.local_s3(stack.endpoint_url).get_object(Bucket=described.source_bucket, Key="large/file.bin")
    assert stored["Body"].read() == LARGE
    assert stored["Metadata"]["sha256"] == hashlib.sha256(LARGE).hexdigest()


def test_the_inbox_copy_is_not_changed(stack: Stack):
    key = f"tide_gauge/mcrl/untouched/{TIDE.name}"
    target = stack.put(TIDE, key)
    before = target.stat()
    stack.final(key)
    after = target.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)


def test_a_name_that_s3_cannot_store_is_refused_and_blocks_nothing(stack: Stack):
    bad = stack.inbox / "refused" / "caf\udce9.csv"
    bad.parent.mkdir()
    bad.write_text("x")
    eventually(lambda: "caf�.csv: its name is not valid UTF-8, which S3 requires. Rename it." in stack.text, "reason")
    states = json.loads(runner("status", "--json", "--data", stack.data).stdout)
    assert [state["outcome"] for state in states if state["file"] == "refused/caf�.csv"] == ["refused"]
    key = f"tide_gauge/mcrl/after-refusal/{TIDE.name}"
    stack.put(TIDE, key)
    assert stack.final(key).outcome == "succeeded"
