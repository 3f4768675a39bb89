import queue
import shutil
import time
from pathlib import Path

from runner.services.watcher.folder_events import EventKind, FolderEvents


def test_events_name_what_happened_to_a_file(tmp_path: Path):
    inbox, elsewhere = tmp_path / "inbox", tmp_path / "elsewhere"
    (elsewhere / "folder").mkdir(parents=True)
    (elsewhere / "folder" / "in it.csv").write_text("x")
    inbox.mkdir()
    events: queue.SimpleQueue[tuple[EventKind, str]] = queue.SimpleQueue()
    observer = FolderEvents(events).observe(inbox)
    try:
        (inbox / "written.csv").write_text("x")
        (inbox / "written.csv").rename(inbox / "renamed.csv")
        shutil.move(elsewhere / "folder", inbox)
        expected = {
            ("changed", f"{inbox}/written.csv"), ("closed", f"{inbox}/written.csv"),
            ("moved in", f"{inbox}/renamed.csv"), ("folder", f"{inbox}/folder"),
        }  # fmt: skip
        found: set[tuple[str, str]] = set()
        deadline = time.monotonic() + 10
        while not expected <= found and time.monotonic() < deadline:
            found.add(events.get(timeout=10))
        assert expected <= found
    finally:
        observer.stop()
        observer.join()
