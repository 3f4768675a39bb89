"""A run's page: its record, its error with places in the user's code, and its actions behind a token."""

from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

from runner.state.database import State
from runner.web.source_links import editor_address, linked
from tests.support.live_page import add_run, served
from tests.support.stacks import ROOT

HOSTILE = "</pre><script>alert(1)</script>"
ERROR = {
    "type": "ValueError", "message": f"no header {HOSTILE}", "phase": "process",
    "traceback": (
        "Traceback (most recent call last):\n"
        '  File "/var/task/pipelines/tide_gauge/readers.py", line 38, in read\n    parse()\n'
        f"ValueError: no header {HOSTILE}\n"
    ),
}  # fmt: skip


def test_a_run_shows_its_record_and_its_twin_has_the_same_fields(tmp_path: Path):
    run_id = add_run(
        tmp_path, "a/1.csv", pipeline="a", outputs=[{"bucket": "out", "key": "data/a.nc", "size": 5}],
        durations_s={"process": 0.5, "total": 0.5}, qc={"rh": {"samples": 144, "flagged": {HOSTILE: 3}}},
        warnings=[HOSTILE],
    )  # fmt: skip
    with served(tmp_path) as site:
        text, record = site.text(f"/runs/{run_id}"), site.json(f"/runs/{run_id}.json")
        missing = site.ask("/runs/99")
    assert record["qc"]["rh"]["flagged"] == {HOSTILE: 3}
    assert record["waterfall"] == [{"name": "process", "begin_s": 0.0, "seconds": 0.5, "kind": "run"}]
    assert HOSTILE not in text
    assert "not in the outputs folder any more" in text
    assert missing[0] == 404
    assert b"There is no run 99." in missing[2]


def test_a_failure_shows_the_users_line_and_what_to_do(tmp_path: Path):
    run_id = add_run(tmp_path, "tide_gauge/mcrl/a.log", "dead-lettered", error=ERROR)
    with served(tmp_path) as site:
        text = site.text(f"/runs/{run_id}")
    assert f'href="vscode://file{ROOT}/pipelines/tide_gauge/readers.py:38"' in text
    assert "next: fix it" in text
    assert ">Retry</button>" in text
    assert HOSTILE not in text


def test_only_files_of_the_project_become_links(tmp_path: Path):
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines/a.py").touch()
    assert (
        editor_address(tmp_path, "/var/task/pipelines/a.py", 3, tmp_path) == f"vscode://file{tmp_path}/pipelines/a.py:3"
    )
    assert editor_address(tmp_path, "pipelines/../../etc/passwd", 1, tmp_path) is None
    assert editor_address(tmp_path, "/etc/passwd", 1, tmp_path) is None
    (line,) = linked(["  pipelines/a.py:7 in read"], tmp_path, Path("/home/a b"))
    assert (line.before, line.place, line.after) == ("  ", "pipelines/a.py:7", " in read")
    assert line.address == "vscode://file/home/a%20b/pipelines/a.py:7"


def test_an_action_needs_the_token(tmp_path: Path):
    run_id = add_run(tmp_path, "a/1.csv", "dead-lettered", error=ERROR)
    with served(tmp_path) as site:
        for token in ({}, {"token": "x"}):
            status, _, body = site.ask(f"/runs/{run_id}/forget", "POST", urlencode(token).encode())
            assert status == 403
            assert b"Reload it and try again" in body
        assert site.ask(f"/runs/{run_id}/forget", "POST", b"x" * 70_000)[0] == 413
        assert site.ask(f"/runs/{run_id}/drop", "POST", urlencode({"token": site.token}).encode())[0] == 404
    with closing(State(tmp_path / "state")) as state:
        assert state.versions.outcome(("a/1.csv", "0" * 32)) == "dead-lettered"


def test_forget_runs_the_command_and_shows_its_answer(tmp_path: Path):
    run_id = add_run(tmp_path, "a/1.csv", "dead-lettered", error=ERROR)
    with served(tmp_path) as site:
        form = urlencode({"token": site.token, "why": "<b>a test"})
        status, headers, _ = site.ask(f"/runs/{run_id}/forget", "POST", form.encode())
        assert status == 303
        text = site.text(headers["location"])
    assert "is forgotten" in text
    assert ">Retry</button>" not in text
    with closing(State(tmp_path / "state")) as state:
        known = state.versions.get(("a/1.csv", "0" * 32))
        assert known is not None
        assert (known.outcome, known.reason) == ("forgotten", "forgotten: <b>a test")


def test_the_message_of_a_run_is_kept_as_json(tmp_path: Path):
    run_id = add_run(tmp_path, "a/1.csv")
    with closing(State(tmp_path / "state")) as state:
        state.received_events.add([{"MessageId": "message of a/1.csv", "Body": '{"Records": []}'}])
    with served(tmp_path) as site:
        assert site.json(f"/runs/{run_id}/event.json") == {"Records": []}
        assert "runner replay 1 --direct" in site.text(f"/runs/{run_id}")
