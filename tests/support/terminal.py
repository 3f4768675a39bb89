"""Run a command at a pseudo-terminal and answer its prompts."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_PROMPT = re.compile(r"([^\n\t]+?) ?(\[[^\]\n]*\]:|:|\?) $")
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Talk:
    """A command's output and exit code."""

    text: str
    code: int


def answered(command: list[str], folder: Path, environment: Mapping[str, str], answers: Mapping[str, str]) -> Talk:
    """Run a command; a prompt that begins with one of the keys gets its answer, any other an empty line.

    Raises:
        AssertionError: a prompt did not appear; the message contains the output.
    """
    terminal, child_end = pty.openpty()
    process = subprocess.Popen(
        command, cwd=folder, env=dict(environment), stdin=child_end, stdout=child_end, stderr=child_end
    )
    os.close(child_end)
    output, answered_to, asked = "", 0, set()
    while True:
        try:
            output += os.read(terminal, 4096).decode(errors="replace").replace("\r", "")
        except OSError:  # Linux's error when the other end is closed
            break
        plain = _COLOURS.sub("", output)
        if prompt := _PROMPT.search(plain, answered_to):
            key = next((key for key in answers if prompt[1].strip().startswith(key)), "")
            asked.add(key)
            os.write(terminal, answers.get(key, "").encode() + b"\n")
            answered_to = len(plain)
    os.close(terminal)
    code = process.wait()
    assert answers.keys() <= asked, f"not asked: {answers.keys() - asked} in\n{output}"
    return Talk(_COLOURS.sub("", output), code)
