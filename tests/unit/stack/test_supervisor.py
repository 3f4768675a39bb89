"""What the supervisor says of a child that keeps dying."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

from runner.stack.supervisor import Child, Supervisor
from runner.testing.stacks import eventually


def test_the_last_words_of_a_child_are_the_end_of_its_log_however_long_it_is(tmp_path: Path):
    log, said = tmp_path / "child.log", list[str]()
    log.write_text("an old line, é\n" * 1_000_000)
    supervisor = Supervisor(said.append)
    tracemalloc.start()
    supervisor.start(Child("child", ["sh", "-c", "echo no such thing; exit 3"], os.environ, log=log))
    try:
        eventually(lambda: supervisor.tend() or len(said) == 3, "second death", 20)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
        supervisor.stop()
    assert said[:2] == [
        "child ended with exit code 3; starting it again",
        "child ended with exit code 3; starting it again in 2 s",
    ]
    words = ["an old line, é"] * 13 + ["no such thing"] * 2
    assert said[2] == "\n".join([f"its last words ({log}):", *words])
