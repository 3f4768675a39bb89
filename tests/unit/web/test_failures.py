"""Failures: grouped by error, under the IDs of `runner failures`, and decided by its commands."""

from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import pytest

from runner.services.reconciler.failures import dead_lettered
from runner.state.database import State
from tests.support.live_page import Site, add_run, served


def add_failure(data: Path, key: str, message: str) -> None:
    error = {"type": "ValueError", "message": message, "phase": "process", "traceback": ""}
    add_run(data, key, "dead-lettered", pipeline=key.partition("/")[0], error=error)


def post(site: Site, action: str, **fields: str | list[str]) -> tuple[int, str]:
    body = urlencode({"token": site.token, **fields}, doseq=True).encode()
    status, headers, text = site.ask(f"/failures/{action}", "POST", body)
    return status, site.text(headers["location"]) if status == 303 else text.decode()


@pytest.fixture
def failed(tmp_path: Path) -> Path:
    for number in (1, 2, 3):
        add_failure(tmp_path, f"tide/{number}.log", f"line {number} of {number}.log has no time")
    add_failure(tmp_path, "buoy/1.zip", "<img src=x onerror=alert(1)>")
    return tmp_path


def test_files_with_the_same_error_are_one_group(failed: Path):
    with served(failed) as site:
        groups, text = site.json("/failures.json")["groups"], site.text("/failures")
    assert [[row["file"] for row in group["files"]] for group in groups] == [
        ["buoy/1.zip"],
        ["tide/3.log", "tide/2.log", "tide/1.log"],
    ]
    assert groups[1]["error"] == "ValueError in phase process: line 3 of 3.log has no time"
    with closing(State(failed / "state")) as state:
        known = [failure.id for failure in dead_lettered(state)]
    assert [row["id"] for group in groups for row in group["files"]] == known
    assert "<img" not in text
    assert "3 files" in text


def test_only_what_is_checked_is_forgotten(failed: Path):
    with served(failed) as site:
        ids = [row["id"] for row in site.json("/failures.json")["groups"][1]["files"]]
        status, text = post(site, "forget", id=ids[:2], why="a test of the buoy")
        left = [row["file"] for group in site.json("/failures.json")["groups"] for row in group["files"]]
    assert status == 303
    assert "is forgotten" in text
    assert left == ["buoy/1.zip", "tide/1.log"]


def test_a_retry_without_a_stack_says_so_and_changes_nothing(failed: Path):
    with served(failed) as site:
        group = site.json("/failures.json")["groups"][0]
        status, text = post(site, "retry", id=group["files"][0]["id"])
        assert site.json("/failures.json")["groups"][0] == group
    assert status == 303
    assert "runner up" in text


@pytest.mark.parametrize(
    ("action", "fields", "status", "text"),
    [
        ("forget", {"why": "x"}, 400, "No failure is chosen. Check at least one."),
        ("forget", {"id": "abc", "why": " "}, 400, "Write the reason why these files are not needed."),
        ("retry", {"id": "--all"}, 400, "An ID of a failure has letters and digits only."),
        ("drop", {"id": "abc"}, 404, "There is no action &#39;drop&#39;."),
        ("retry", {"id": "abc", "token": "x"}, 403, "Reload it and try again."),
    ],
)
def test_a_wrong_form_is_refused(failed: Path, action: str, fields: dict[str, str], status: int, text: str):
    with served(failed) as site:
        got, answer = post(site, action, **fields)
    assert got == status
    assert text in answer
