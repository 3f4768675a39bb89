"""What the commands report about a stack, and a check that `runner reconcile` agrees with the tests' own report."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

from runner.cli import app
from runner.template.stack_template import StackTemplate
from runner.testing.stacks import Stack, environment
from tests.support import outcomes


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command as `runner` does, but in this process, which saves the start of one."""
    argv, code = ["runner", *map(str, arguments)], 0
    with (
        redirect_stdout(io.StringIO()) as stdout,
        redirect_stderr(io.StringIO()) as stderr,
        mock.patch.object(sys, "argv", argv),
        mock.patch.dict(os.environ, environment(), clear=True),
    ):
        try:
            app.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
    return subprocess.CompletedProcess(argv, code, stdout.getvalue(), stderr.getvalue())


def reconcile(stack: Stack, *options: str) -> tuple[int, dict[str, Any]]:
    """Return exit code and report of `runner reconcile`."""
    done = command("reconcile", "--json", "--data", stack.data, *options)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def rows(name: str, stack: Stack, *options: str) -> list[dict[str, Any]]:
    """Return the rows that a command lists."""
    done = command(name, "--json", "--data", stack.data, *options)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def failures(stack: Stack) -> dict[str, dict[str, Any]]:
    """Return the rows of `runner failures`, by file."""
    done = command("failures", "--json", "--data", stack.data)
    assert done.returncode == 0, done.stderr
    return {row["file"]: row for row in json.loads(done.stdout)}


def failures_of(stack: Stack, name: str) -> list[dict[str, Any]]:
    """Return the rows of `runner failures` whose file contains a text."""
    done = command("failures", "--json", "--data", stack.data)
    return [row for row in json.loads(done.stdout) if name in row["file"]]


def failure_message(stack: Stack, key: str) -> str:
    """Return the error that `runner failures` shows for a file that used up its attempts."""
    row = failures(stack)[key]
    assert row["tried"] == 3
    assert row["in_dead_letter_queue"]
    return str(row["error"]["message"])


def verify_reconcile(
    stack: Stack, described: StackTemplate, expected: outcomes.Expected | None, *, reset: bool = False
) -> outcomes.Report:
    """Compare `runner reconcile` with the tests' own report, and return the latter."""
    own = outcomes.verify_outcomes(stack, described, expected, reset=reset)
    code, report = reconcile(stack, "--wait", "30")
    assert report["unaccounted"] == []
    assert code == 0
    theirs, ours = report["accounted"], own.counts()
    assert theirs["in progress"] == 0
    assert theirs["refused"] == ours["refused"]
    # It counts every version of a file, and objects that did not come through the inbox.
    for outcome in ("succeeded", "skipped", "dead-lettered"):
        assert theirs[outcome] >= ours[outcome], (theirs, ours)
    return own
