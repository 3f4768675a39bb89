"""Typing errors, and what the machine refuses: each leads to one line that says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.messages.run_record import new_record
from runner.state.database import State
from runner.testing.stacks import environment
from tests.support.stacks import SAMPLES, runner

TIDE = next((SAMPLES / "tide_gauge").glob("*/*.log"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with a failed message and three failed files; a newer version of one of them succeeded."""
    state = State(tmp_path / "state")
    for name in ("a", "b", "c"):
        error = {"type": "ValueError", "message": "line 11 has 4 values", "phase": "process", "traceback": ""}
        item = {"bucket": "in", "key": f"tide_gauge/{name}.log", "size": 1, "etag": name}
        run = new_record("failed", "r", pipeline="tide_gauge", inputs=[item], error=error)
        state.runs.add(run, "dead-lettered", 3)
    state.runs.add(new_record("succeeded", "r", pipeline="tide_gauge", inputs=[{**item, "etag": "fixed"}]), "succeeded")
    state.runs.add(new_record("failed", "r", pipeline="tide_gauge", error=error), "dead-lettered", 3, "md5 of no event")
    state.runs.add(new_record("succeeded", "r", schedule="s", window={"begin": "b", "end": "e"}), "succeeded", 1, "md5")
    state.close()
    return tmp_path


def refusal(*command: str | Path) -> str:
    """Return what a command that is refused prints; it prints no result."""
    done = runner(*command)
    assert (done.returncode, done.stdout) == (2, "")
    return " ".join(line.strip("│ ") for line in done.stderr.splitlines())


def test_a_data_folder_that_cannot_be_used_is_named(tmp_path: Path, data: Path):
    (tmp_path / "file").touch()
    wrong = "state.sqlite cannot be used: [Errno 20] Not a directory"
    assert f"error: {tmp_path}/file/state/{wrong}" in refusal("status", "--data", tmp_path / "file")
    file = data / "state" / "state.sqlite"
    file.write_bytes(b"not a database, and long enough to be none" * 100)
    assert refusal("logs", "--data", data) == (
        f"error: {file} cannot be used: file is not a database. Fix that, or choose another folder with --data."
    )


def test_a_full_disk_is_reported(data: Path):
    command = [sys.executable, "-m", "runner", "failures", "--data", str(data)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment())
    assert done.returncode  # Python itself may say 120, when it cannot write the rest either
    assert done.stderr.startswith("error: [Errno 28] No space left on device\n")
    assert "runner/" not in done.stderr


def test_a_pipe_is_not_sent(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    text = f"{tmp_path}/pipe is not a regular file. Write its contents to one first."
    assert text.replace(" ", "") in refusal("run", tmp_path / "pipe").replace(
        " ", ""
    )  # it breaks lines in the path, too


def test_two_files_of_one_key_are_named(tmp_path: Path):
    one, two = tmp_path / "one" / "x.log", tmp_path / "two" / "x.log"
    for path in (one, two):
        path.parent.mkdir()
        path.touch()
    assert refusal("run", one, one, two, "--data", tmp_path) == (
        f"error: {one} and {two} would get the same key, x.log. Run one after the other."
    )


def test_logs_that_match_nothing_say_so(data: Path):
    assert refusal("logs", "--pipeline", "tide_guage", "--data", data) == (
        "error: No pipeline is called 'tide_guage'. Pipelines: a2e_buoy_ingest, buoy_wind_hourly, tide_gauge."
    )
    assert "Invalid value for '-n' / '--newest'" in refusal("logs", "-n", "-3", "--data", data)
    done = runner("logs", "nobody.log", "--data", data)
    assert (done.returncode, done.stdout) == (0, "")
    assert "matches. `runner status` lists all files." in done.stderr
    assert runner("logs", "-n", "0", "--data", data).stdout == ""
    assert runner("logs", "-n", "1", "--data", data).stdout.count(", attempt ") == 1


def test_failures_fit_into_a_narrow_terminal_and_tell_what_was_replaced(data: Path):
    command = [sys.executable, "-m", "runner", "failures", "--data", str(data)]
    ours, its = os.openpty()
    subprocess.run(command, stdout=its, env=environment(COLUMNS="60"), check=True)
    os.close(its)
    with os.fdopen(ours, "rb") as terminal:
        shown = terminal.read1(100_000).decode().replace("\r\n", "\n")
    assert "tide_gauge/a.log, tide_gauge," in shown
    assert shown.count("  ValueError: line 11 has 4 values\n") == 4
    assert shown.count("--why replaced") == 1
    assert "│" not in shown


@pytest.mark.parametrize(
    "command", [("env",), ("env", "--json"), ("trigger", "buoy-wind-hourly"), ("backfill", "x"), ("retry", "--all")]
)
def test_without_a_stack_a_command_that_needs_one_says_so(command: tuple[str, ...], tmp_path: Path):
    assert "No stack" in refusal(*command, "--data", tmp_path)


def test_a_time_and_a_window_that_cannot_be_are_refused(tmp_path: Path):
    config = "pipelines/buoy_wind_hourly/config/pipeline.yaml"
    window = ("--begin", "2020-12-02", "--end", "2020-12-01")
    assert refusal("vap", config, *window, "--data", tmp_path) == (
        "error: --begin 2020-12-02T00:00:00Z must be earlier than --end 2020-12-01T00:00:00Z."
    )
    assert "'soon' is not a time. Write 2020-12-01 or" in refusal("trigger", "x", "--begin", "soon")


@pytest.mark.parametrize("options", [("--port", "70000"), ("--settle", "-1"), ("--concurrency", "0")])
def test_a_number_out_of_its_range_is_refused(options: tuple[str, ...], tmp_path: Path):
    assert f"Invalid value for '{options[0]}'" in refusal("up", "--embedded", "--data", tmp_path, *options)
