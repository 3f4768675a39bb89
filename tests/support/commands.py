"""What the command line says of a stack, and that it says the same as the tests' own balance sheet."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from runner.template.stack_template import StackTemplate
from runner.testing.stacks import Stack, environment
from tests.support import ledger


def _ask(stack: Stack, command: str, *options: str) -> tuple[int, Any]:
    """Exit code and JSON of a command."""
    line = [sys.executable, "-m", "runner", command, "--json", "--data", str(stack.data), *options]
    done = subprocess.run(line, capture_output=True, text=True, env=environment(), timeout=110, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def failures(stack: Stack) -> dict[str, dict[str, Any]]:
    """What `runner failures` shows, by file."""
    code, rows = _ask(stack, "failures")
    assert code == 0
    return {row["file"]: row for row in rows}


def message(stack: Stack, key: str) -> str:
    """Why a file failed for good, after three attempts, as `runner failures` shows it."""
    row = failures(stack)[key]
    assert row["tried"] == 3
    assert row["in_dead_letter_queue"]
    return str(row["error"]["message"])


def agrees(
    stack: Stack, described: StackTemplate, expected: ledger.Expected | None, *, lost: bool = False
) -> ledger.Sheet:
    """Draw our own sheet, have `runner reconcile` draw its, and compare the two; gives ours."""
    own = ledger.balanced(stack, described, expected, lost=lost)
    code, told = _ask(stack, "reconcile", "--wait", "30")
    assert told["unaccounted"] == []
    assert code == 0
    theirs, ours = told["accounted"], own.counts()
    assert theirs["in progress"] == 0
    assert theirs["refused"] == ours["refused"]
    # It counts every version that a file ever had, and objects that came by other ways than the inbox.
    for outcome in ("succeeded", "skipped", "dead-lettered"):
        assert theirs[outcome] >= ours[outcome], (theirs, ours)
    return own
