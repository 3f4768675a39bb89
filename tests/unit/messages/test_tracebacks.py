"""Real tracebacks of Python, and the lines they are shortened to."""

import importlib.util
import re
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.messages.tracebacks import fold

READER = """
import json

def outer(text):
    return inner(text)

def inner(text):
    if text == "torn":
        raise ValueError("it is torn")
    try:
        return json.loads(text)
    except ValueError as error:
        raise KeyError("no such column") from error
"""


def caught(folder: Path, call: str, source: str = READER) -> str:
    """Return the traceback of a call to a module below pipelines/."""
    path = folder / "pipelines" / "tide_gauge" / "readers.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("readers", path)
    assert spec
    assert spec.loader
    try:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.outer(call)
    except Exception:
        return traceback.format_exc()
    raise AssertionError("nothing was raised")


def test_the_users_own_line_comes_first(tmp_path: Path):
    lines = fold(caught(tmp_path, "torn"))
    assert lines[:3] == [
        "pipelines/tide_gauge/readers.py:9 in inner",
        '    raise ValueError("it is torn")',
        "  pipelines/tide_gauge/readers.py:5 in outer",
    ]
    assert re.search(r"test_tracebacks.py:\d+ in caught$", lines[3])


def test_a_cause_has_its_own_place_and_frames_of_packages_share_a_line(tmp_path: Path):
    lines = fold(caught(tmp_path, "{"))
    assert lines[:2] == [
        "pipelines/tide_gauge/readers.py:13 in inner",
        '    raise KeyError("no such column") from error',
    ]
    assert lines[-4:] == [
        "  because of json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1)",
        "    pipelines/tide_gauge/readers.py:11 in inner",
        "      return json.loads(text)",
        "    … 3 frames in Python below it",
    ]


def test_an_error_that_was_raised_twice_is_shown_once():
    chained = "\nDuring handling of the above exception, another exception occurred:\n\n"
    part = 'Traceback (most recent call last):\n  File "/opt/python/xarray/a.py", line 1, in f\n    x\n'
    own = 'Traceback (most recent call last):\n  File "/var/task/pipelines/a.py", line 3, in g\n    y\n'
    assert fold(f"{part}KeyError: 'a'\n{chained}{part}KeyError: 'a'\n{chained}{own}KeyError: 'b'\n") == [
        "pipelines/a.py:3 in g",
        "    y",
        "  because of KeyError: 'a'",
        "    … 1 frame in xarray",
    ]


def test_a_syntax_error_is_the_users_own_line(tmp_path: Path):
    lines = fold(caught(tmp_path, "", "def outer(text):\n    return (text\n"))
    assert lines[:2] == ["pipelines/tide_gauge/readers.py:2", "    return (text"]


FRAMES = """Traceback (most recent call last):
  File "/var/task/runner/function/handler.py", line 116, in _run
    pipeline.run(Path(route.config), files, phases, result)
  File "/var/task/runner/function/pipeline.py", line 147, in run
    dataset = pipeline.run(list(uris))
  File "/opt/python/tsdat/pipeline/pipelines/ingest.py", line 28, in run
    dataset = self.retriever.retrieve(
              ^^^^^^^^^^^^^^^^^^^^^^^^
  File "/var/task/shared/strict_retriever.py", line 31, in _get_raw_mapping
    mapping = super()._get_raw_mapping(input_keys)
  File "/opt/python/tsdat/io/retrievers/default_retriever.py", line 120, in _get_raw_mapping
    data = reader.read(key)
  File "/var/task/pipelines/a2e/readers.py", line 51, in read
    return xr.open_dataset(path)
  File "/opt/python/xarray/backends/api.py", line 566, in open_dataset
    engine = plugins.guess_engine(filename_or_obj)
  File "/opt/python/xarray/backends/plugins.py", line 197, in guess_engine
    raise ValueError(error_msg)
ValueError: did not find a match
"""


def test_adjacent_frames_of_the_image_are_folded():
    assert fold(FRAMES) == [
        "pipelines/a2e/readers.py:51 in read",
        "    return xr.open_dataset(path)",
        "  … 2 frames in xarray below it",
        "  … 1 frame in tsdat",
        "  shared/strict_retriever.py:31 in _get_raw_mapping",
        "  … 3 frames in tsdat, runner",
    ]


def test_without_a_line_of_the_user_all_frames_share_a_line():
    theirs = "\n".join(line for line in FRAMES.splitlines() if "readers.py" not in line and "strict" not in line)
    assert fold(theirs) == ["… 6 frames in xarray, tsdat, runner"]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/home/me/runner/pipelines/a/b.py", "pipelines/a/b.py:7 in f"),
        ("/home/shared/x/pipelines/a/utils/b.py", "pipelines/a/utils/b.py:7 in f"),
        ("/home/me/.venv/lib/python3.13/site-packages/pipelines/b.py", "… 1 frame in pipelines"),
        ("/usr/lib/python3/dist-packages/numpy/b.py", "… 1 frame in numpy"),
        ("<frozen importlib._bootstrap>", "… 1 frame in Python"),
        ("/var/runtime/bootstrap.py", "… 1 frame in runtime"),
    ],
)
def test_the_owner_of_a_frame(path: str, shown: str):
    assert fold(f'Traceback (most recent call last):\n  File "{path}", line 7, in f\n    x\nE: e\n')[0] == shown


def test_tracebacks_of_awslambdaric_are_parsed_too():
    stack = '  File "/var/task/pipelines/a.py", line 3, in f\n    g()\n'
    assert fold(stack) == ["pipelines/a.py:3 in f", "    g()"]


@pytest.mark.parametrize("text", ["", "Runtime.ExitError", "Task timed out after 3.00 seconds"])
def test_text_without_frames_has_no_lines(text: str):
    assert fold(text) == []


@given(text=st.text() | st.lists(st.sampled_from([*FRAMES.splitlines(), "", "    ^^", "E"])).map("\n".join))
def test_any_text_is_shortened(text: str):
    assert len(fold(text)) <= 2 * len(text.splitlines()) + 1


def test_a_group_of_exceptions_is_parsed():
    try:
        raise ExceptionGroup("several", [ValueError("a"), KeyError("b")])
    except ExceptionGroup:
        lines = fold(traceback.format_exc())
    assert re.search(r"test_tracebacks.py:\d+ in test_a_group", lines[0])
    assert lines[1] == '    raise ExceptionGroup("several", [ValueError("a"), KeyError("b")])'
