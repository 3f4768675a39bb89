"""What the stack's books say when a person asks, and standstills in which it cannot keep them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from runner.testing.stacks import Stack
from tests.support import killing
from tests.support.stacks import SAMPLES, Supervised, runner

TIDE = next((SAMPLES / "tide_gauge").glob("*/*.log"))
BAD = b"torn"


def reconcile(stack: Stack, *options: str) -> tuple[int, dict[str, Any]]:
    """`runner reconcile` as a program would call it."""
    done = runner("reconcile", "--json", "--data", stack.data, *options)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def failures(stack: Stack, name: str) -> list[dict[str, Any]]:
    """`runner failures` for keys that contain this."""
    done = runner("failures", "--json", "--data", stack.data)
    return [row for row in json.loads(done.stdout) if name in row["file"]]


@contextmanager
def paused(stack: Supervised, *names: str) -> Iterator[None]:
    """Children that do nothing during the body."""
    with ExitStack() as still:
        for pid in [stack.children()[name] for name in names]:
            still.enter_context(killing.paused(pid))
        time.sleep(1.5)  # a long poll under way ends unseen after a second; till then it would take a message
        yield
