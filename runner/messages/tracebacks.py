"""Shortens a traceback to what its reader can act on: the user's own lines first, others folded. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

_FRAME = re.compile(r'  File "(?P<path>.+)", line (?P<line>\d+)(?:, in (?P<function>.+))?')
_PACKAGE = re.compile(r"/(?:site-packages|dist-packages|opt/python|\.venv-projects/[^/]+)/(\w+)")
_PYTHON = re.compile(r"/lib/python3[^/]*/|^<frozen ")
_RUNNER = re.compile(
    r"/(runner)/(?:(?:aws|cli|function|messages|services|stack|state|template|testing)/(?:\w+/)?)?\w+\.py$|^/var/(runtime)/"
)
_PROJECT = re.compile(r".*/(?=pipelines/)|.*/(?=(?:shared|utils)/)")
_CHAINED = re.compile(
    r"\n(?:The above exception was the direct cause of the following exception"
    r"|During handling of the above exception, another exception occurred):\n\n"
)
# The header of an exception group, whose lines begin with | and +.
_GROUP = "Exception Group Traceback"


@dataclass(frozen=True)
class Frame:
    """A frame of a traceback."""

    path: str
    line: str
    function: str
    code: str = ""

    @property
    def owner(self) -> str:
        """The package that the file belongs to; empty if it is the user's own."""
        for pattern in (_PACKAGE, _RUNNER):
            if found := pattern.search(self.path):
                return str(next(filter(None, found.groups())))
        return "Python" if _PYTHON.search(self.path) else ""

    def __str__(self) -> str:
        """Format the place as path:line, which editors and terminals recognize."""
        return f"{_PROJECT.sub('', self.path, count=1)}:{self.line}" + (f" in {self.function}" if self.function else "")


@dataclass
class _Raised:
    """An exception in a chain: its frames, outermost first, and its text."""

    frames: list[Frame] = field(default_factory=list)
    text: str = ""


def fold(traceback: str) -> list[str]:
    """Return a few lines for a traceback as Python prints it, without the exception's text.

    The user's innermost line comes first, then the frames from the innermost to the outermost:

        pipelines/tide_gauge/readers.py:71 in _read_rows
            raise ValueError(f"{name} has no rows.")
          pipelines/tide_gauge/readers.py:36 in read
          … 14 frames in tsdat, runner
    """
    if _GROUP in traceback:
        traceback = re.sub(r"^ *[|+] ?", "", traceback, flags=re.MULTILINE)
    chain = [_read(part) for part in _CHAINED.split(traceback)]
    if not any(raised.frames for raised in chain):
        return []
    lines = list(_lines(chain[-1].frames))
    causes = {
        cause.text: cause.frames for cause in reversed(chain[:-1])
    }  # libraries raise the same error more than once
    for text, frames in causes.items():
        place, *more = [*_lines(frames), ""]
        lines += [f"  because of {text}", f"    {place}", *(f"  {line}" for line in more if line)]
    return lines


def _read(text: str) -> _Raised:
    """Parse one exception of a chain."""
    raised = _Raised()
    for line in text.splitlines():
        if found := _FRAME.match(line):
            raised.frames.append(Frame(found["path"], found["line"], found["function"] or ""))
        elif line.startswith("    ") and raised.frames and not raised.text:
            frame = raised.frames[-1]
            if not frame.code and line.strip(" ~^"):
                raised.frames[-1] = Frame(frame.path, frame.line, frame.function, line.strip())
        elif line and not line.startswith((" ", "Traceback ", _GROUP)) and not raised.text:
            raised.text = line
    return raised


def _lines(frames: list[Frame]) -> Iterator[str]:
    """Yield the user's innermost frame with its code, then all other frames; adjacent frames of packages share one."""
    if not frames:
        return
    innermost = next((n for n, frame in reversed(list(enumerate(frames))) if not frame.owner), None)
    if innermost is None:
        yield _folded_line(reversed(frames))
        return
    yield str(frames[innermost])
    if frames[innermost].code:
        yield f"    {frames[innermost].code}"
    if deeper := frames[innermost + 1 :]:
        yield f"  {_folded_line(reversed(deeper))} below it"
    for own, group in groupby(reversed(frames[:innermost]), key=lambda frame: not frame.owner):
        run = list(group)
        yield from (f"  {frame}" for frame in run) if own else [f"  {_folded_line(run)}"]


def _folded_line(frames: Iterable[Frame]) -> str:
    owners = [frame.owner for frame in frames]
    count = f"{len(owners)} frame" + ("s" if len(owners) > 1 else "")
    return f"… {count} in {', '.join(dict.fromkeys(owners))}"
