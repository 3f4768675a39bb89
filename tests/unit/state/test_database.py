from __future__ import annotations

import multiprocessing
import sqlite3
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from runner.errors import SettingsError
from runner.state.database import SCHEMA_VERSION, State
from runner.state.transaction import transaction

PROCESSES = 4


def refusal(folder: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        State(folder)
    return str(caught.value)


def other_version(folder: Path, version: int) -> str:
    return (
        f"{folder} was written by another version of tsdat-local (schema {version}, not {SCHEMA_VERSION}). "
        f"Stop its stack and remove {folder}; the inbox then runs again."
    )


@pytest.mark.parametrize("name", ["ledger.sqlite", "history.sqlite", "events.sqlite"])
def test_a_folder_of_a_layout_without_versions_is_refused(tmp_path: Path, name: str):
    (tmp_path / name).touch()
    for _ in range(2):
        assert refusal(tmp_path) == other_version(tmp_path, 0)


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1])
def test_a_file_with_another_schema_is_refused(tmp_path: Path, version: int):
    with closing(sqlite3.connect(tmp_path / "state.sqlite")) as db:
        db.executescript(f"CREATE TABLE uploads (key TEXT); PRAGMA user_version = {version};")
    assert refusal(tmp_path) == other_version(tmp_path, version)


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path):
    (tmp_path / "state.sqlite").write_bytes(b"no database at all" * 100)
    (tmp_path / "file").touch()
    advice = "Fix that, or choose another folder with --data."
    assert refusal(tmp_path) == f"{tmp_path}/state.sqlite cannot be used: file is not a database. {advice}"
    assert refusal(tmp_path / "file").startswith(f"{tmp_path}/file/state.sqlite cannot be used: [Errno 17] File exists")


def open_together(folder: Path, barrier: Barrier) -> None:
    barrier.wait()
    State(folder).close()


def test_processes_that_create_the_file_at_once_all_succeed(tmp_path: Path):
    spawn = multiprocessing.get_context("fork")
    for number in range(10):
        barrier = spawn.Barrier(PROCESSES)
        processes = [
            spawn.Process(target=open_together, args=(tmp_path / str(number), barrier)) for _ in range(PROCESSES)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0] * PROCESSES


def test_a_reader_sees_what_a_writer_recorded_and_both_survive_a_restart(tmp_path: Path):
    with closing(State(tmp_path)) as writer, closing(State(tmp_path)) as reader:
        writer.versions.add_uploaded(("k", "1"))
        assert reader.versions.outcome(("k", "1")) == "uploaded"
    with closing(State(tmp_path)) as again:
        assert again.versions.outcome(("k", "1")) == "uploaded"


def outcomes(state: State) -> dict[str, str]:
    return {known.etag: known.outcome for known in state.versions.of_key("k")}


def test_a_transaction_is_complete_or_changes_nothing(state: State):
    with state.transaction():
        state.versions.add_uploaded(("k", "1"))
        state.versions.set_outcome(("k", "1"), "skipped", "no route")
    with pytest.raises(KeyboardInterrupt), state.transaction():
        state.versions.set_outcome(("k", "1"), "retried", "again")
        state.versions.add_uploaded(("k", "2"))
        raise KeyboardInterrupt
    assert outcomes(state) == {"1": "skipped"}
    state.versions.add_uploaded(("k", "3"))  # no transaction was left open
    assert outcomes(state) == {"1": "skipped", "3": "uploaded"}


def test_a_transaction_that_cannot_begin_leaves_the_connection_usable(tmp_path: Path):
    with closing(State(tmp_path)) as writer, closing(sqlite3.connect(tmp_path / "state.sqlite", timeout=0)) as other:
        other.isolation_level = None
        with writer.transaction():
            writer.versions.add_uploaded(("k", "1"))
            with pytest.raises(sqlite3.OperationalError, match="locked"), transaction(other):
                pass
        with transaction(other):
            other.execute("DELETE FROM versions")
        assert outcomes(writer) == {}
