from __future__ import annotations

from pathlib import Path

from runner.services.watcher.inbox import Inbox
from runner.services.watcher.survey import survey
from runner.state.inbox_problems import Problem


def test_the_watchers_problems_correct_what_another_process_sees(tmp_path: Path):
    """In a container a link out of the data folder leads nowhere, and other rights may hold."""
    inbox, disk = Inbox(tmp_path / "inbox", ()), tmp_path / "disk"
    (disk / "deep").mkdir(parents=True)
    (disk / "deep/b.csv").touch()
    inbox.folder.mkdir()
    for name in ("a.csv", "closed.csv", "z.csv"):
        inbox.path(name).touch()
    (inbox.folder / "link").symlink_to(disk)
    (inbox.folder / "gone").symlink_to("nowhere")
    dangling, closed = Problem("dangles"), Problem("is closed", is_refused=False)
    found = list(survey(inbox, {"closed.csv": closed, "link": dangling, "removed meanwhile": dangling}))
    own = dict(inbox.scan())["gone"]
    assert isinstance(own, Problem)
    assert found == [
        ("a.csv", inbox.stamp("a.csv")), ("closed.csv", closed), ("gone", own), ("link", dangling),
        ("link/deep/b.csv", dangling), ("z.csv", inbox.stamp("z.csv")),
    ]  # fmt: skip
