"""A command run as at a terminal, its prompts answered by a script."""

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
    """What a command said and how it ended."""

    text: str
    code: int


def answered(command: list[str], folder: Path, environment: Mapping[str, str], answers: Mapping[str, str]) -> Talk:
    """Run a command at a terminal; a prompt that begins with one of the keys gets its answer, any other just Enter.

    Raises:
        AssertionError: it did not ask what there is an answer for; the text has all that it said.
    """
    terminal, its_end = pty.openpty()
    process = subprocess.Popen(
        command, cwd=folder, env=dict(environment), stdin=its_end, stdout=its_end, stderr=its_end
    )
    os.close(its_end)
    said, answered_to, asked = "", 0, set()
    while True:
        try:
            said += os.read(terminal, 4096).decode(errors="replace").replace("\r", "")
        except OSError:  # how Linux tells that the other end is closed
            break
        plain = _COLOURS.sub("", said)
        if prompt := _PROMPT.search(plain, answered_to):
            key = next((key for key in answers if prompt[1].strip().startswith(key)), "")
            asked.add(key)
            os.write(terminal, answers.get(key, "").encode() + b"\n")
            answered_to = len(plain)
    os.close(terminal)
    code = process.wait()
    assert answers.keys() <= asked, f"not asked: {answers.keys() - asked} in\n{said}"
    return Talk(_COLOURS.sub("", said), code)
