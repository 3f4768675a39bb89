"""A file in, NetCDF and plots out: through S3, the queue and the Lambda emulator, as a user would see it."""

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
from tests.support.ledger import messages, objects_of
from tests.support.stacks import REAL, SAMPLES, queue_depths, runner

SAMPLE_BUOYS = sorted((SAMPLES / "a2e_buoy_ingest").glob("*/*.zip"))
BUOYS = SAMPLE_BUOYS + sorted((REAL / "a2e_buoy_ingest").glob("*/*.zip"))
HUMBOLDT = next(path for path in SAMPLE_BUOYS if "humboldt" in path.parts)
TIDE = next((SAMPLES / "tide_gauge").glob("*/*.log"))
WAYS = ["copy", "move", "append", "rename", "reopen"]
# key, content, how it ends, and what its reason says
BAD = [
    ("lidar/x.7z", b"7z", "skipped", "No pipeline matches 'lidar/x.7z'. Known routes:"),
    ("a2e_buoy_ingest/bad/buoy.z05.00.20201203.000000.zip", b"PK\x03\x04 torn", "dead-lettered", "zip"),
    ("a2e_buoy_ingest/bad/buoy.z05.00.20201204.000000.zip", b"", "dead-lettered", "empty"),
    ("tide_gauge/mcrl/bad/tide_20202512000000.log", b"", "dead-lettered", "empty"),
    ("tide_gauge/mcrl/bad/tide_20202612000000.log", b"half a li", "dead-lettered", "tide_20202612000000.log"),
]
WRECK = "a2e_buoy_ingest/dlq/buoy.z05.00.20201205.000000.zip"
OVERWRITTEN = f"tide_gauge/mcrl/overwritten/{TIDE.name}"
LARGE = bytes(range(256)) * 160_000  # 41 MB
# Until all that is dropped at once has come to its end on a busy machine.
PATIENCE_S = 150


@pytest.fixture(scope="module", params=["embedded", "docker"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """One after the other, both backends, with most of the files on their way: they are processed together."""
    made: Stack = request.getfixturevalue(f"{request.param}_stack")
    folder = tmp_path_factory.mktemp("ways")
    with ThreadPoolExecutor(len(WAYS)) as pool:
        coming = [pool.submit(come, made.inbox / key_of_way(way), way, folder) for way in WAYS]
        for source in SAMPLE_BUOYS:
            made.put(source, key_of_buoy(source))
        for key, content, *_ in BAD:
            made.put(content, key)
        made.put(b"not a zip", WRECK)
        made.put(TIDE, OVERWRITTEN)
        for name in (".hidden.csv", "buoy.z05.x.zip.part", "buoy.z05.y.zip~", ".buoy.z05.zip.swp", "unroutable.bin"):
            made.put(b"x", f"ignored/{name}")
        made.put(LARGE, "large/file.bin")
        for one in coming:
            one.result()
    return made


def key_of_buoy(source: Path) -> str:
    origin = "real" if REAL in source.parents else "sample"
    return f"a2e_buoy_ingest/{source.parent.name}/{origin}/{source.name}"


def key_of_way(way: str) -> str:
    return f"tide_gauge/mcrl/{way}/{TIDE.name}"


def come(target: Path, way: str, folder: Path) -> None:
    """Bring the tide gauge's file into the inbox."""
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
        time.sleep(1.5)  # longer than the settle time: only its name keeps it from being taken
        partial.rename(target)
    elif way == "append":
        with target.open("wb", buffering=0) as file:
            for start in range(0, len(content), len(content) // 5 + 1):
                file.write(content[start : start + len(content) // 5 + 1])
                time.sleep(0.5)
    else:  # opened, written and closed in pieces, closer together than the settle time
        target.touch()
        for start in range(0, len(content), len(content) // 5 + 1):
            time.sleep(0.3)
            with target.open("ab") as file:
                file.write(content[start : start + len(content) // 5 + 1])


def await_quiet(run: Run, quiet_s: float) -> None:
    """Give what must not follow a run the time to do so."""
    time.sleep(max(0.0, run.ended_at + quiet_s - time.time()))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], xr.Dataset]:
    """What tsdat by itself makes of a buoy's file, the same for both backends."""
    return cache(lambda source: buoy_csv.run(source.parent.name, [source], tmp_path_factory.mktemp("alone")))


@pytest.mark.parametrize("source", BUOYS, ids=lambda path: "/".join(path.parts[-5:-1]))
def test_a_dropped_buoy_file_becomes_netcdf_and_plots(stack: Stack, source: Path, alone: Callable[[Path], xr.Dataset]):
    key = key_of_buoy(source)
    if source not in SAMPLE_BUOYS:  # its outputs take the place of the sample's, which another test looks at before
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
        assert dataset.attrs["inputs"] == f"s3://tsdat-pipeline-inputs/{key}"
        compare_with_csv(dataset, source)
        compare_with_tsdat_alone(dataset, alone(source))


def compare_with_csv(dataset: xr.Dataset, source: Path) -> None:
    """Every value and every quality bit is what the archive's CSV files say."""
    times, values, bits = buoy_csv.expected(buoy_csv.members(source))
    np.testing.assert_array_equal(dataset["time"].to_numpy(), times.to_numpy())
    assert values.keys() == buoy_csv.VARIABLES.keys()
    for name, wanted in values.items():
        rtol = 1e-6 if name == "pressure" else 0  # mbar to hPa multiplies by nearly one
        np.testing.assert_allclose(dataset[name], wanted.astype(dataset[name].dtype), rtol=rtol, err_msg=name)
        np.testing.assert_array_equal(dataset[f"qc_{name}"], bits[name], err_msg=name)


def compare_with_tsdat_alone(dataset: xr.Dataset, wanted: xr.Dataset) -> None:
    """The path changes nothing: names, dimensions, values, attributes, types and fill values are tsdat's own."""
    assert list(dataset.variables) == list(wanted.variables)
    # An image has no git to ask for the code's version.
    assert_datasets_match(dataset, wanted, ignore_attributes={"history", "inputs", "code_version"})


def test_the_record_tells_what_was_done(stack: Stack):
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


@pytest.mark.parametrize("way", WAYS)
def test_however_a_file_comes_it_is_processed_once(stack: Stack, way: str):
    key, size = key_of_way(way), TIDE.stat().st_size
    run = stack.final(key, patience_s=PATIENCE_S)
    if way == "reopen":  # its first piece was closed like a whole file; what counts is that the whole one comes through
        run = eventually(lambda: _succeeded(stack, key, size), f"success of {key}")
    else:
        await_quiet(run, 1.5)
        assert len(stack.runs_of(key)) == 1
    assert run.outcome == "succeeded", run.record["error"]
    assert run.record["inputs"][0]["size"] == size


def _succeeded(stack: Stack, key: str, size: int):
    runs = [run for run in stack.runs_of(key) if run.outcome == "succeeded" and run.record["inputs"][0]["size"] == size]
    return runs[-1] if runs else None


def test_other_content_under_the_same_name_is_processed_again_and_a_touch_is_not(stack: Stack):
    key, target = OVERWRITTEN, stack.inbox / OVERWRITTEN
    first = stack.final(key, patience_s=PATIENCE_S)
    target.touch()
    time.sleep(2.5)  # a touch settles, is looked at, and is nothing new
    assert len(stack.runs_of(key)) == 1
    target.write_bytes(TIDE.read_bytes().replace(b"-0.105", b"-0.106"))
    second = stack.final(key, count=2)
    assert first.record["inputs"][0]["etag"] != second.record["inputs"][0]["etag"]
    assert second.outcome == "succeeded", second.record["error"]


@pytest.mark.parametrize(
    ("key", "content", "outcome", "text"),
    BAD,
)
def test_bad_files_end_with_a_reason(stack: Stack, key: str, content: bytes, outcome: str, text: str):
    assert (stack.inbox / key).read_bytes() == content
    run = stack.final(key, patience_s=PATIENCE_S)
    assert run.outcome == outcome
    reason = run.record["reason"] or (run.record["error"] or {}).get("message", "")
    assert text in reason
    if outcome == "dead-lettered":
        assert run.attempt == 3
        assert "Traceback" in (run.record["error"] or {}).get("traceback", "")


def test_what_cannot_be_processed_waits_in_the_dead_letter_queue(stack: Stack, described: StackTemplate):
    ends = {key: outcome for key, _, outcome, _ in BAD} | {WRECK: "dead-lettered"}
    for key, outcome in ends.items():
        assert stack.final(key, patience_s=PATIENCE_S).outcome == outcome

    def letters() -> Counter[str]:
        bodies = messages(stack, described.dead_letter_queue_name)
        return Counter(key for body in bodies for key, _ in objects_of(body) if key in ends)

    wanted = Counter(key for key, outcome in ends.items() if outcome == "dead-lettered")
    eventually(lambda: letters() == wanted, "dead letter of each, and no other")
    eventually(lambda: queue_depths(stack, described)[described.queue_name] == 0, "empty queue")


def test_files_that_are_not_finished_are_not_taken(stack: Stack):
    await_quiet(stack.final("ignored/unroutable.bin", patience_s=PATIENCE_S), 2.5)
    assert not [run for run in stack.state.runs.after(0) for i in run.record["inputs"] if "ignored/" in i["key"]][1:]


def test_a_large_file_goes_up_in_parts_and_arrives_whole(stack: Stack, described: StackTemplate):
    etag = stack.final("large/file.bin", patience_s=PATIENCE_S).record["inputs"][0]["etag"]
    assert etag is not None
    assert etag.endswith("-3")
    stored = clients.local_s3(stack.endpoint_url).get_object(Bucket=described.source_bucket, Key="large/file.bin")
    assert stored["Body"].read() == LARGE
    assert stored["Metadata"]["sha256"] == hashlib.sha256(LARGE).hexdigest()


def test_the_inbox_copy_is_never_touched(stack: Stack):
    key = f"tide_gauge/mcrl/untouched/{TIDE.name}"
    target = stack.put(TIDE, key)
    before = target.stat()
    stack.final(key)
    after = target.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)


def test_a_name_that_s3_cannot_take_is_told_and_stops_nothing(stack: Stack):
    bad = stack.inbox / "refused" / "caf\udce9.csv"
    bad.parent.mkdir()
    bad.write_text("x")
    eventually(
        lambda: "caf�.csv: its name is not valid UTF-8, and S3 takes no other. Rename it." in stack.text, "reason"
    )
    states = json.loads(runner("status", "--json", "--data", stack.data).stdout)
    assert [state["outcome"] for state in states if state["file"] == "refused/caf�.csv"] == ["refused"]
    key = f"tide_gauge/mcrl/after-refusal/{TIDE.name}"
    stack.put(TIDE, key)
    assert stack.final(key).outcome == "succeeded"
