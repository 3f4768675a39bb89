"""Restarts of children that exit, and what is reported about them."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

from runner.stack.child import Child
from runner.stack.supervisor import Supervisor
from runner.testing.stacks import eventually


def test_report_ends_with_the_tail_of_the_log_however_long_it_is(tmp_path: Path):
    log, reported = tmp_path / "child.log", list[str]()
    log.write_text("an old line, é\n" * 1_000_000)
    supervisor = Supervisor(reported.append)
    tracemalloc.start()
    supervisor.start(Child("child", ["sh", "-c", "echo no such thing; exit 3"], os.environ, log=log))
    try:
        eventually(lambda: supervisor.restart_exited() or len(reported) == 3, "second exit", 20)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
        supervisor.stop()
    assert reported[:2] == ["child exited with code 3; restarting", "child exited with code 3; restarting in 2 s"]
    tail = ["an old line, é"] * 13 + ["no such thing"] * 2
    assert reported[2] == "\n".join([f"the end of its log ({log}):", *tail])
